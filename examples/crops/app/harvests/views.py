"""A small JSON API without sessions or cookies, so CSRF protection has nothing to protect."""

import json
from datetime import date

from crops.release import NAME
from django.db import DatabaseError, connection
from django.http import HttpResponseNotAllowed, JsonResponse
from django.utils import timezone

from harvests.models import Harvest

SHOWN = 20


def harvests(request):
    if request.method == "POST":
        return _answer({"added": _add(request).as_json()}, status=201)
    if request.method in {"GET", "HEAD"}:
        latest = Harvest.objects.order_by("-id")[:SHOWN]
        count = Harvest.objects.count()
        return _answer({"count": count, "latest": [harvest.as_json() for harvest in latest]})
    return HttpResponseNotAllowed(["GET", "HEAD", "POST"])


def healthz(_request):
    """Healthy is who reaches the database: 200, otherwise 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return _answer({"status": "no database", "reason": str(error)}, status=503)
    return _answer({"status": "ok"})


def _add(request):
    wanted = json.loads(request.body or "{}")
    day = wanted.get("harvested_on")
    return Harvest.objects.create(
        crop=wanted.get("crop", "wheat"),
        kilograms=wanted.get("kilograms", 1),
        harvested_on=date.fromisoformat(day) if day else timezone.localdate(),
    )


def _answer(content, status=200):
    return JsonResponse({"release": NAME, **content}, status=status, headers={"X-Release": NAME})
