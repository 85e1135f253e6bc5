"""Gets a program from the carrier, and becomes it.

    python3 -I -S -c SOURCE PORT SHA256 CONFIG COMMAND [ARGUMENT ...]

Nothing but the text with this hash is ever run, whoever listens on the port.
"""

import hashlib
import signal
import socket
import sys
import time


def main() -> None:
    port, wanted = int(sys.argv[1]), sys.argv[2]
    del sys.argv[1:3]
    # As PID 1 a process is deaf to every signal that it has no handler for.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    text = b""
    while hashlib.sha256(text).hexdigest() != wanted:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as carrier:
                carrier.sendall(wanted.encode())
                text = b"".join(iter(lambda: carrier.recv(65536), b""))
        except OSError:
            pass  # it is not there yet
        time.sleep(0.05)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    exec(compile(text, "program", "exec"), {"__name__": "__main__"})  # noqa: S102


main()
