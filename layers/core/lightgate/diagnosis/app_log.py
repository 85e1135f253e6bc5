"""Read what a container has written during one deployment. Nobody vouches for these lines.

All code that can write to the app's output may write these lines. Lightsail keeps the lines of all
nodes and deployments of a container name in one stream (docs/lightsail.md, "Container logs"), so
the live version writes there too. The lines explain a failure, and decide nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lightgate.diagnosis.log_patterns import is_of_a_request, without_prefix
from lightgate.diagnosis.log_search import phrase_of
from lightgate.gate.evidence import TRACEBACK
from lightgate.gate.log_lines import events, plain_text
from lightgate.gate.masking import Mask
from lightgate.patterns import pattern

_MOST_LINES = 200
_MOST_SYSTEM_LINES = 50
_MOST_FAILURES = 50
_SYSTEM_LINE = pattern(r"\[deployment:(\d+)\] (.*)")
# What Lightsail writes last of a deployment that fails.
TOO_LONG = "Took too long"
CANCELED = "Canceled"
_BEGIN = "Creating your deployment"
# A request that went well, as access logs have it.
_SERVED = pattern(r'"[A-Z]+ \S+ HTTP/[\d.]+" 2\d\d\b')
_LONGEST_READ = 2000
_COLOUR = pattern(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLog:
    """One container's lines since its deployment was created, the newest last.

    `lines` are the app's own, `system` what Lightsail says of the deployment. `starts` is how
    often the gate has let the command start, over all nodes; `exec_error` why that failed.
    `phrases` has words to find a shown line by: the log has them exactly so.
    """

    lines: Sequence[str] = ()
    system: Sequence[str] = ()
    starts: int = 0
    exec_error: str | None = None
    phrases: Mapping[str, str] = field(default_factory=dict)

    @property
    def own_words(self) -> Sequence[str]:
        """The lines without those about requests, in which strangers have their say."""
        return [line for line in self.lines if not is_of_a_request(line)]


def shows_the_failure(lines: Iterable[str], version: int) -> bool:
    """Whether Lightsail has written the end of the failed deployment: older lines come no more."""
    ends = {f"[deployment:{version}] {end}" for end in (TOO_LONG, CANCELED)}
    return any(line.rstrip() in ends for line in lines)


def read_app_log(
    container: str,
    lines: Iterable[str],
    *,
    version: int,
    release: str,
    secrets: Iterable[str] = (),
) -> AppLog:
    """The lines that a deployment has written. `secrets` are values that must not be repeated.

    They are masked as the gate does it, and so is what looks like a password. What the gate
    reports is not among the lines, nor are requests that went well: the version that serves would
    fill them with its own.
    """
    since = _since_creation(list(lines), version)
    told = list(events(release, container, since))
    mask = Mask(secrets)
    own: list[str] = []
    system: list[str] = []
    phrases: dict[str, str | None] = {}
    failed: list[tuple[str, str, bool]] = []
    for line in since:
        if found := _SYSTEM_LINE.fullmatch(line.rstrip()):
            if int(found[1]) == version:
                system.append(found[2])
                phrases[_shown(found[2], mask)] = phrase_of(_shown(line, mask), line)
        elif '"lightgate": 1' in line:
            for event in events(release, container, [line]):
                if event["event"] == "failed":
                    is_exec = event.get("cause") == "exec"
                    failed.append((str(event.get("error") or ""), line, is_exec))
        elif not _SERVED.search(line):
            own += _unfolded(line)
    exec_error = None
    for reported, line, is_exec in failed[-_MOST_FAILURES:]:
        error = _shown(reported, mask)
        phrases[error] = phrase_of(error, line)
        exec_error = error if is_exec else exec_error
    newest = [(line, _shown(line, mask)) for line in own[-_MOST_LINES:] if line.strip()]
    phrases |= {shown: phrase_of(without_prefix(shown), line) for line, shown in newest}
    return AppLog(
        lines=tuple(shown for _, shown in newest),
        # An app can imitate these as well.
        system=tuple(_shown(line, mask) for line in system[-_MOST_SYSTEM_LINES:]),
        starts=sum(event["event"] == "open" for event in told),
        exec_error=exec_error or None,
        phrases={shown: phrase for shown, phrase in phrases.items() if phrase is not None},
    )


def _unfolded(line: str) -> Sequence[str]:
    """The lines of the traceback that a line of JSON has in it, or the line itself."""
    if not line.startswith("{") or TRACEBACK not in line:
        return [line]
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return [line]
    found = (one for one in told.values() if isinstance(one, str) and TRACEBACK in one)
    return next((one.splitlines() for one in found), [line])


def _since_creation(lines: list[str], version: int) -> list[str]:
    """From Lightsail's own line on; all of them where that line has not arrived."""
    begin = f"[deployment:{version}] {_BEGIN}"
    first = next((i for i, line in enumerate(lines) if line.rstrip() == begin), 0)
    return lines[first:]


def _shown(line: str, mask: Mask) -> str:
    # What is beyond is not shown, and would take the patterns long.
    return plain_text(mask.text(_COLOUR.sub("", line))[:_LONGEST_READ].rstrip()) or ""
