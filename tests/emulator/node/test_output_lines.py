"""The raw output of a container becomes lines, and a flood of it is limited."""

from local.lightsail.node.output_lines import LineCollector


def collected(*pieces: bytes, seconds: float = 0) -> list[str]:
    lines: list[str] = []
    now = 0.0

    def clock() -> float:
        return now

    collector = LineCollector(lines.append, clock)
    for piece in pieces:
        now += seconds
        collector.feed(piece)
    return lines


def test_output_becomes_lines_whatever_the_pieces() -> None:
    assert collected(b"one\ntw", b"o\r\n\n", b"three", b"") == ["one", "two", "three"]
    assert collected(b"caf\xc3", b"\xa9\n", b"\xff\n") == ["café", "\ufffd"]


def test_a_line_without_end_is_cut() -> None:
    lines = collected(*[b"x" * 65536] * 8, b"")
    assert sum(map(len, lines)) == 8 * 65536
    assert len(lines) > 1


def test_a_flood_is_dropped_and_reported_and_let_through_again() -> None:
    flood = [(b"spam" * 16_000 + b"\n")] * 200
    lines = collected(*flood, seconds=0.001)
    assert 60 < len(lines) < 80
    lines = collected(*flood, *[b"calm\n"] * 3, seconds=0.001)
    assert "bytes dropped: the container wrote too fast" in "".join(lines)
    assert lines[-1] == "calm"
