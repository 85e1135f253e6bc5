"""Distributes the programs to the other containers, and becomes the supervisor of its own.

    python3 -I -S -c SOURCE PORT PACKED CONFIG COMMAND [ARGUMENT ...]

It is used if the deployment would be too large with the programs in each container. PACKED are the
texts of supervisor, waiter, Django helper and S3 client, with a zero byte between two, compressed
and in base 85. A client of the loopback port sends the hash of the program that it wants, the first
half of its SHA-256, and gets the text.
"""

from __future__ import annotations

import base64
import builtins
import bz2
import hashlib
import json
import os
import socket
import sys
import threading
import time


def main() -> None:
    port, packed = int(sys.argv[1]), sys.argv[2]
    del sys.argv[1:3]
    texts = bz2.decompress(base64.b85decode(packed)).split(b"\0")
    config = json.loads(sys.argv[1])
    helpers = [texts[2 + n] for n, key in enumerate(("django", "mailbox")) if key in config]
    sys.argv[2:2] = [text.decode() for text in helpers]
    programs = {hashlib.sha256(text).hexdigest()[:32].encode(): text for text in texts}
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
    except OSError as error:
        fail("cannot listen on port %d: %s" % (port, error.strerror))
    threading.Thread(target=serve, args=(listener, programs), daemon=True).start()
    # The minifier shortens no name beside a plain exec. This exec sees none of our names.
    builtins.exec(texts[0], {"__name__": "__main__"})  # noqa: S102


def fail(why: str) -> None:
    """Report the failure and exit, as the supervisor would."""
    config = json.loads(sys.argv[1])
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    # In a rollback the release in CONFIG is the old one.
    release = os.environ.get("LIGHTGATE_RELEASE", config["release"])
    who = {"release": release, "container": config["container"]}
    event = {"lightgate": 1, **who, "event": "failed", "at": at, "cause": "port", "error": why}
    print(json.dumps(event), flush=True)
    sys.exit(1)


def serve(listener: socket.socket, programs: dict[bytes, bytes]) -> None:
    while True:
        try:
            client, _ = listener.accept()
            with client:
                client.settimeout(1)
                client.sendall(programs.get(client.recv(64), b""))
        except OSError:
            pass  # a client that has gone tries again


main()
