"""How the gate of a rehearsal reaches the copy of the database, and nothing but the copy."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lightgate.errors import RefusalCode, RefusedError
from lightgate.patterns import pattern

_HOST = pattern(r"([A-Za-z0-9._-]+)(?::(\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a database listens."""

    host: str
    port: int


def on_the_copy(
    values: Mapping[str, str], variable: str, original: Address, copy: Address
) -> dict[str, str]:
    """The variables with the address of the copy in `variable`.

    No error repeats a value: they may be secrets.

    Raises:
        RefusedError: the variable holds no address, or another variable names the host of the
            app's own database as well.
    """
    before = values[variable]
    named, after = _exchanged(before, copy)
    if named is None:
        raise RefusedError(
            f"rehearsal.databaseVariable: {variable} holds neither a URL with a host, nor a host",
            code=RefusalCode.REHEARSAL,
        )
    forbidden = {named.lower(), original.host.lower()} - {copy.host.lower()}
    others = sorted(
        name
        for name, value in values.items()
        if name != variable and any(host in value.lower() for host in forbidden)
    )
    if others:
        raise RefusedError(
            f"rehearsal: {', '.join(others)} names the host of the app's own database as well. A "
            f"rehearsal must not reach it, and Lightgate changes {variable} only",
            code=RefusalCode.REHEARSAL,
        )
    return {**values, variable: after}


def _exchanged(value: str, copy: Address) -> tuple[str | None, str]:
    """The host that the value names, and the value with the copy's; a port only if it had one."""
    if "://" in value:
        try:
            parts = urlsplit(value)
            host, port = parts.hostname, parts.port
        except ValueError:
            return None, value
        if not host or "," in parts.netloc:
            return None, value
        user, at, _ = parts.netloc.rpartition("@")
        is_usual = port is None and copy.port in _USUAL_PORTS
        address = copy.host if is_usual else f"{copy.host}:{copy.port}"
        return host, parts._replace(netloc=f"{user}{at}{address}").geturl()
    found = _HOST.fullmatch(value)
    if found is None:
        return None, value
    return found[1], f"{copy.host}:{copy.port}" if found[2] else copy.host


# Without a port a URL means the usual one of its scheme.
_USUAL_PORTS = (3306, 5432)
