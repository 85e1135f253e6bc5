"""Distributes the programs to the other containers, and becomes the supervisor of its own.

    python3 -ISc SOURCE PORT PACKED CONFIG COMMAND [ARGUMENT ...]

It is used if the deployment would be too large with the programs in each container. PACKED are the
texts of supervisor, waiter, Django helper, S3 client and perhaps the classifier, with a zero byte
between two, compressed and in base 92: 27 characters for 22 bytes. A client of the loopback port
gets all of them unpacked.
"""

from __future__ import annotations

import builtins
import bz2
import json
import os
import socket
import sys
import threading
import time
from functools import reduce
from typing import Any


def main() -> None:
    port, digits = int(sys.argv[1]), sys.argv[2].replace("!", "\\")
    del sys.argv[1:3]
    parts = (digits[start : start + 27] for start in range(0, len(digits), 27))
    numbers = (reduce(lambda n, d: n * 92 + ord(d) - 35, part, 0) for part in parts)
    whole = bz2.decompress(b"".join(n.to_bytes(22, "big") for n in numbers))
    texts = whole.decode().split("\0")
    config = read_config()
    keys = ("django", "mailbox", "classifier")
    sys.argv[2:2] = [texts[2 + n] for n, key in enumerate(keys) if key in config]
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
    except OSError as error:
        fail("cannot listen on port %d: %s" % (port, error.strerror))
    threading.Thread(target=serve, args=(listener, whole), daemon=True).start()
    # The minifier shortens no name beside a plain exec. This exec sees none of our names.
    builtins.exec(texts[0], {"__name__": "__main__"})  # noqa: S102


def fail(why: str) -> None:
    """Report the failure and exit, as the supervisor would."""
    config = read_config()
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    # In a rollback the release in CONFIG is the old one.
    release = os.environ.get("LIGHTGATE_RELEASE", config["release"])
    who = {"release": release, "container": config["container"]}
    event = {"lightgate": 1, **who, "event": "failed", "at": at, "cause": "port", "error": why}
    print(json.dumps(event), flush=True)
    sys.exit(1)


def read_config() -> dict[str, Any]:
    config: dict[str, Any] = json.loads(sys.argv[1].translate({34: 39, 39: 34}))
    return config


def serve(listener: socket.socket, whole: bytes) -> None:
    while True:
        try:
            client, _ = listener.accept()
            with client:
                client.settimeout(1)
                client.sendall(whole)
        except OSError:
            pass  # a client that has gone tries again


main()
