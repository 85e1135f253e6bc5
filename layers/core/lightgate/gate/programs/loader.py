"""Gets the programs from the distributor, and becomes one of them.

    python3 -ISc SOURCE CONFIG PORT HASH NUMBERS COMMAND [ARGUMENT ...]

NUMBERS has a digit for each text that this container needs, counted from 0 in the order in which
the distributor has them. The first is the program. The others are its helpers, which it gets as
arguments in place of PORT, HASH and NUMBERS. HASH has the first 24 digits of their SHA-256.
Only texts with this hash run, whatever listens on the port. Every container has a loader, and
little room: for that reason there are no functions here.
"""

import builtins
import hashlib
import os
import signal
import socket
import sys
import time

port, wanted, numbers = sys.argv[2:5]
# TERM, INT and QUIT. As PID 1 a process gets no signal that it has no handler for. The program
# replaces this handler by its own, so that a TERM is never lost. The handler raises no exception:
# Python drops what is raised while an object is closed.
for number in (15, 2, 3):
    signal.signal(number, lambda n, _: os._exit(128 + n))
whole = b""
while hashlib.sha256(whole).hexdigest()[:24] != wanted:
    time.sleep(0.05)
    try:  # noqa: SIM105 - there is little room
        # The distributor never sends more.
        whole = socket.create_connection(("127.0.0.1", port), 1).makefile("rb").read(1 << 20)
    except OSError:
        pass  # nothing listens yet
texts = whole.decode().split("\0")
program, *sys.argv[2:5] = [texts[int(n)] for n in numbers]
# The minifier shortens no name beside a plain exec. This exec sees none of our names.
builtins.exec(program, {"__name__": "__main__"})  # noqa: S102
