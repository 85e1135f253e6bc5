from itertools import count

from django.urls import path
from harvests import views

ANSWERS = count(1)


def harvests(request):
    """Each answer keeps something, and after the second a worker has nothing left."""
    if next(ANSWERS) > 2:
        raise MemoryError("no room for another answer")
    return views.harvests(request)


urlpatterns = [
    path("", harvests),
    path("healthz", views.healthz),
]
