from cows import views
from django.urls import path

urlpatterns = [
    path("", views.weighings),
    path("healthz", views.healthz),
    path("work", views.work),
]
