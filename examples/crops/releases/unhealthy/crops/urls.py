from django.http import HttpResponse
from django.urls import path
from harvests import views


def healthz(_request):
    return HttpResponse("the cache is not warm", status=500)


urlpatterns = [
    path("", views.harvests),
    path("healthz", healthz),
]
