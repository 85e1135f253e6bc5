from django.urls import path
from harvests import views

urlpatterns = [
    path("", views.harvests),
    path("healthz", views.healthz),
]
