"""A small JSON API without sessions or cookies, so CSRF protection has nothing to protect."""

import json
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import JsonResponse
from django.utils import timezone

from cows.models import Count, Weighing
from cows.tasks import weigh

_MISSED = 4


def weighings(request):
    if request.method == "POST":
        wanted = json.loads(request.body)
        weigh.delay(wanted["cow"], wanted["kilograms"])
        return JsonResponse({}, status=202)
    latest = Weighing.objects.order_by("-id").values("cow", "kilograms")[:20]
    return JsonResponse({"latest": list(latest)})


def healthz(_request):
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return JsonResponse({"reason": str(error)}, status=503)
    return JsonResponse({})


def work(_request):
    """Whether beat, broker and worker have done their last work in time."""
    longest = timedelta(seconds=_MISSED * settings.COUNT_SECONDS)
    if Count.objects.filter(counted_at__gt=timezone.now() - longest).exists():
        return JsonResponse({})
    return JsonResponse({"reason": f"nothing was counted for {longest.seconds} s"}, status=503)
