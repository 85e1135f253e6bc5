"""From the raw output of a container to lines, with a rate limit.

A container that writes too fast loses lines. It is never blocked, because Lightsail blocks none.
"""

from collections.abc import Callable

MAX_LINE_BYTES = 256 * 1024
BYTES_PER_SECOND = 1024 * 1024
BURST_BYTES = 4 * 1024 * 1024
# Added to the size of each line, so that a flood of empty lines is limited too.
LINE_COST = 100


class LineCollector:
    """Calls `emit` for each line of one process, as long as they come within the rate."""

    def __init__(self, emit: Callable[[str], None], monotonic: Callable[[], float]) -> None:
        self._emit = emit
        self._monotonic = monotonic
        self._rest = b""
        self._allowance = float(BURST_BYTES)
        self._last = monotonic()
        self._dropped = 0

    def feed(self, piece: bytes) -> None:
        """Read a piece of output. An empty piece is the end."""
        now = self._monotonic()
        refill = (now - self._last) * BYTES_PER_SECOND
        self._last = now
        self._allowance = min(BURST_BYTES, self._allowance + refill)
        cost = len(piece) + LINE_COST * piece.count(b"\n")
        if cost > self._allowance:
            self._dropped += len(piece)
            # Without this, the first half of a dropped line would join the next line that is kept.
            self._rest = b""
            return
        self._allowance -= cost
        if self._dropped:
            self._emit(f"[log] {self._dropped} bytes dropped: the container wrote too fast")
            self._dropped = 0
            piece = piece.partition(b"\n")[2]
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._say(line)
        if not piece or len(self._rest) >= MAX_LINE_BYTES:
            self._say(self._rest)
            self._rest = b""

    def _say(self, line: bytes) -> None:
        """Emit a line, as several events if it is too long for one."""
        for start in range(0, len(line), MAX_LINE_BYTES):
            text = line[start : start + MAX_LINE_BYTES].decode(errors="replace").rstrip("\r")
            if text:  # CloudWatch Logs has no empty events
                self._emit(text)
