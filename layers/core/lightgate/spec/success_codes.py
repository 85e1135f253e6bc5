"""The codes that count as a good answer, as Lightsail's health check writes them."""

from lightgate.patterns import pattern

_PART = pattern(r"(\d{3})(?:-(\d{3}))?")


def accepts(codes: str, status: int) -> bool:
    """Whether the status is among codes such as `200-299,304`; a part that is no code has none."""
    for part in codes.split(","):
        found = _PART.fullmatch(part.strip())
        if found and int(found[1]) <= status <= int(found[2] or found[1]):
            return True
    return False
