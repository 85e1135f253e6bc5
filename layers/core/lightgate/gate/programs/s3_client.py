"""Sends events to the mailbox of a release in S3, and polls for an object there.

    python3 -ISc SOURCE

A process of its own that ends soon, because TLS takes memory for as long as a process lives.
Standard input is a socket to the supervisor. It brings one job, as a JSON line, and takes a reply
for each exchange. The URLs are secrets, and no reply has one. Python 3.8 and later.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import sys
from email.utils import mktime_tz, parsedate_tz
from typing import Any
from urllib.parse import urlsplit

SILENCE = 5  # seconds that the mailbox may send nothing
LIMIT = 20  # seconds for an exchange, after which an alarm ends this process
LARGEST = 65536  # bytes of a response that are read
TRIES = 3  # for events that do not get through


def main() -> None:
    job = json.loads(sys.stdin.readline())
    outbox, tries = job["outbox"], 0
    while True:
        for name in list(outbox):
            response = exchange(job, "PUT", name, outbox[name].encode())
            # Another request would not change what the mailbox refuses.
            if response.get("final") or 200 <= response.get("status", 0) < 500:
                del outbox[name]
            reply(sent=name, **response)
        tries += 1
        if job["poll"]:
            reply(**exchange(job, "GET", job["poll"], None))
        elif not outbox or tries == TRIES:
            return
        if select.select([0], [], [], job["pollSeconds"])[0]:
            return  # the supervisor has closed the socket


def exchange(job: dict[str, Any], method: str, name: str, body: bytes | None) -> dict[str, Any]:
    """The response: status, body, and the time by the mailbox's clock. Or why there is none."""
    signal.alarm(LIMIT)
    try:
        url = urlsplit(job["url"].replace("*", name, 1) + job["signatures"][name])
        kind = "HTTPSConnection" if url.scheme == "https" else "HTTPConnection"
        if not hasattr(http.client, kind):
            return {"error": "this Python has no ssl module", "final": True}
        connection = getattr(http.client, kind)(url.netloc, timeout=SILENCE)
        connection.request(method, f"{url.path}?{url.query}", body)
        response = connection.getresponse()
        text = response.read(LARGEST).decode("utf-8", "replace")
        date = parsedate_tz(response.headers["Date"] or "")
        connection.close()
        return {"status": response.status, "body": text, "now": date and mktime_tz(date)}
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no response
        return describe(error)
    finally:
        signal.alarm(0)


def describe(error: Exception) -> dict[str, Any]:
    """Only the words of an OSError are shown: others may contain the URL."""
    why = getattr(error, "verify_message", None)
    if why:
        is_time = "not yet valid" in why or "expired" in why
        hint = "is the clock right?" if is_time else ca_certificates()
        return {"error": f"TLS: {why}: {hint}", "final": True}
    words = (error.strerror or str(error)) if isinstance(error, OSError) else ""
    return {"error": f"{type(error).__name__}: {words}".rstrip(": ")}


def ca_certificates() -> str:
    """Whether the image has any."""
    import ssl

    found = ssl.get_default_verify_paths()
    for name in (found.openssl_cafile_env, found.openssl_capath_env):
        path = os.environ.get(name)
        if path and not found.cafile and not os.path.exists(path):  # noqa: PTH110
            return f"{name} is {path!r}, which does not exist"
    if found.cafile or (found.capath and os.listdir(found.capath)):  # noqa: PTH208
        return "the image's CA certificates do not know who has signed"
    return "the image has no CA certificates"


def reply(**fields: object) -> None:
    os.write(0, json.dumps(fields).encode() + b"\n")


main()
