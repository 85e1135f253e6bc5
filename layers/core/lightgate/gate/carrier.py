"""Hands the gate's programs to the other containers, and is the supervisor of its own.

    python3 -I -S -c SOURCE PORT PACKED CONFIG COMMAND [ARGUMENT ...]

Used where each container bringing its own program would make the deployment too large. PACKED are
the programs' texts (supervisor, waiter, Django helper, courier), with a zero byte between two,
compressed and in base 85.
Whoever connects to the loopback port says the hash of the program it wants, the first half of its
SHA-256, and gets its text.
"""

from __future__ import annotations

import base64
import builtins
import hashlib
import json
import os
import socket
import sys
import threading
import time
import zlib


def main() -> None:
    port, packed = int(sys.argv[1]), sys.argv[2]
    del sys.argv[1:3]
    texts = zlib.decompress(base64.b85decode(packed)).split(b"\0")
    config = json.loads(sys.argv[1])
    own = [texts[2 + n] for n, key in enumerate(("django", "mailbox")) if key in config]
    sys.argv[2:2] = [text.decode() for text in own]
    programs = {hashlib.sha256(text).hexdigest()[:32].encode(): text for text in texts}
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
    except OSError as error:
        fail("cannot listen on port %d: %s" % (port, error.strerror))
    threading.Thread(target=serve, args=(listener, programs), daemon=True).start()
    # The minifier shortens no name beside a plain exec; this one sees none of ours.
    builtins.exec(texts[0], {"__name__": "__main__"})  # noqa: S102


def fail(why: str) -> None:
    """End as the supervisor would, whose reports are what people are shown."""
    config = json.loads(sys.argv[1])
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    # That of CONFIG is an old one in a deployment that goes back to it.
    release = os.environ.get("LIGHTGATE_RELEASE", config["release"])
    who = {"release": release, "container": config["container"]}
    told = {"lightgate": 1, **who, "event": "failed", "at": at, "cause": "port", "error": why}
    print(json.dumps(told), flush=True)
    sys.exit(1)


def serve(listener: socket.socket, programs: dict[bytes, bytes]) -> None:
    while True:
        try:
            client, _ = listener.accept()
            with client:
                client.settimeout(1)
                client.sendall(programs.get(client.recv(64), b""))
        except OSError:
            pass  # a client that goes away comes again


main()
