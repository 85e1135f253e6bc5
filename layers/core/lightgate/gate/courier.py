"""Carries letters to the mailbox of a release, and looks there for the permit.

    python3 -I -S -c SOURCE

A process of its own that ends, because TLS takes memory for as long as it lives. Standard input is
a socket to the supervisor: an errand comes, a JSON line, and an answer goes back for each exchange.
The URLs are secrets: none is in what it says. Standard library, Python 3.8 and later.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import sys
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import urlsplit

TYPE_CHECKING = False  # type checkers take it for True
if TYPE_CHECKING:
    from typing import Any

SILENCE = 5  # seconds that the mailbox may say nothing
LIMIT = 20  # seconds for an exchange, after which an alarm ends this process
LARGEST = 8192  # bytes of an answer that are read
ROUNDS = 3  # for letters that do not get through


def main() -> None:
    errand = json.loads(sys.stdin.readline())
    letters, rounds = errand["letters"], 0
    while True:
        for name in list(letters):
            answer = exchange(errand, "PUT", name, letters[name].encode())
            # Asking again would not change what the mailbox refuses.
            if answer.get("final") or 200 <= answer.get("status", 0) < 500:
                del letters[name]
            say(sent=name, **answer)
        rounds += 1
        if errand["ask"]:
            say(**exchange(errand, "GET", "permit", None))
        elif not letters or rounds == ROUNDS:
            return
        if select.select([0], [], [], errand["pollSeconds"])[0]:
            return  # the supervisor has gone, or has heard enough


def exchange(errand: dict[str, Any], method: str, name: str, body: bytes | None) -> dict[str, Any]:
    """What the mailbox says: status, body and time by its own clock. Or why it says nothing."""
    signal.alarm(LIMIT)
    try:
        url = urlsplit(errand["url"].replace("*", name, 1) + errand["signatures"][name])
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
    except Exception as error:  # noqa: BLE001 - whatever it is, the mailbox has said nothing
        return describe(error)
    finally:
        signal.alarm(0)


def describe(error: Exception) -> dict[str, Any]:
    """Only an OSError's words are safe to repeat: others may name the URL."""
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
    if found.cafile or (found.capath and os.listdir(found.capath)):  # noqa: PTH208
        return "the image's CA certificates do not know who has signed"
    return "the image has no CA certificates"


def say(**answer: object) -> None:
    os.write(0, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
