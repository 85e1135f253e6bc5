"""Hands the gate's programs to the other containers, and is the supervisor of its own.

    python3 -I -S -c SOURCE PORT SUPERVISOR WAITER CONFIG COMMAND [ARGUMENT ...]

Used where each container bringing its own program would make the deployment too large. Whoever
connects to the loopback port says the SHA-256 of the program it wants, and gets its text.
"""

from __future__ import annotations

import hashlib
import socket
import sys
import threading


def main() -> None:
    port, supervisor, waiter = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    del sys.argv[1:4]
    texts = [text.encode() for text in (supervisor, waiter)]
    programs = {hashlib.sha256(text).hexdigest().encode(): text for text in texts}
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        sys.exit("lightgate: cannot listen on port %d: %s" % (port, error.strerror))
    listener.listen(64)
    threading.Thread(target=serve, args=(listener, programs), daemon=True).start()
    exec(compile(supervisor, "supervisor", "exec"), {"__name__": "__main__"})  # noqa: S102


def serve(listener: socket.socket, programs: dict[bytes, bytes]) -> None:
    while True:
        try:
            client, _ = listener.accept()
            with client:
                client.settimeout(1)
                client.sendall(programs.get(client.recv(64, socket.MSG_WAITALL), b""))
        except OSError:
            pass  # a client that goes away comes again


main()
