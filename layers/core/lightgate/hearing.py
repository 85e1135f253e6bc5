"""What the gates of a release have said: in the log, which lags, and in their mailboxes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from lightgate import permits
from lightgate.deployment import reports_since
from lightgate.errors import UnreachableError
from lightgate.release import Release
from lightgate.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The lines of each gate. `unread` says what could not be read: it is unknown, not silent."""

    lines: Mapping[str, Sequence[str]]
    unread: Sequence[str]


def listen(release: Release, created_at: datetime, runtime: Runtime) -> Heard:
    """What each gate has said since its deployment was created.

    Raises:
        UnreachableError: of one gate nothing could be read at all.
    """
    since = reports_since(created_at)
    lines: dict[str, Sequence[str]] = {}
    unread: list[str] = []
    for gate in dict.fromkeys([*release.gates, *release.asking_gates]):
        sources: dict[str, Callable[[], Sequence[str]]] = {
            "log": partial(runtime.lightsail.gate_lines, release.service, gate, since)
        }
        if gate in release.asking_gates:
            sources["mailbox"] = partial(permits.letters, release, gate, runtime)
        found: list[str] = []
        failed: dict[str, UnreachableError] = {}
        for name, read in sources.items():
            try:
                found += read()
            except UnreachableError as error:
                failed[f"The {name} of {gate} could not be read: {error}."] = error
        if len(failed) == len(sources):
            raise UnreachableError(" ".join(failed))
        lines[gate] = found
        unread += failed
    return Heard(lines=lines, unread=unread)
