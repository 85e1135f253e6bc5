"""What lines of Python programs say: exceptions, missing variables, addresses."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TRACEBACK = "Traceback (most recent call last):"
# How the usual readers of settings put it: django-environ, python-decouple, environs, starlette.
_MISSING = (
    re.compile(r"ImproperlyConfigured: Set the (\w+) environment variable"),
    re.compile(r"UndefinedValueError: (\w+) not found\. Declare it as envvar"),
    re.compile(r"""Env(?:Validation)?Error: Environment variable ["'](\w+)["'] (?:not set|is)"""),
    re.compile(r"KeyError: [\"']Config '(\w+)' is missing, and has no default"),
)
_KEY_ERROR = re.compile(r"(?:\w+\.)*KeyError: '(\w+)'")
# A KeyError is about a variable only if the lookup was one in os.environ.
_ENVIRON_FRAME = re.compile(r"environ\[|<frozen os>|[/\\]os\.py\"")
_FRAMES_LOOKED_AT = 8
_LISTENING = re.compile(
    r"(?:Listening at|running on|server at|Serving on|Listening on TCP address)[ :]+"
    r"(?:https?://)?(\[[0-9a-f:]*\]|[\w.-]+):(\d{1,5})\b",
    re.IGNORECASE,
)
_REQUEST = re.compile(r'"(GET|HEAD) (\S+) HTTP/[\d.]+" (\d{3})\b')
_LOOPBACK = ("127.", "localhost", "[::1]")
_HEALTH_CHECKER = "ELB-HealthChecker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """An address that a server says it listens on."""

    host: str
    port: int
    line: str

    @property
    def is_loopback(self) -> bool:
        return self.host.startswith(_LOOPBACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A health check in an access log."""

    path: str
    status: int
    line: str


def exceptions(lines: Sequence[str]) -> list[str]:
    """The line that ends each traceback, with the exception and its words."""
    found, is_inside = [], False
    for line in lines:
        if line.endswith(_TRACEBACK):
            is_inside = True
        elif is_inside and line[:1].strip():
            found.append(line)
            is_inside = False
    return found


def missing_variable(lines: Sequence[str]) -> tuple[str, str] | None:
    """A variable that a program asked for and did not have, and the line that says so.

    The last one in the lines. A KeyError counts only right below a lookup in the environment.
    """
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index]
        for pattern in _MISSING:
            if found := pattern.search(line):
                return found[1], line
        if found := _KEY_ERROR.fullmatch(line.strip()):
            frames = lines[max(0, index - _FRAMES_LOOKED_AT) : index]
            if any(_ENVIRON_FRAME.search(frame) for frame in frames):
                return found[1], line
    return None


def listening(lines: Sequence[str]) -> Iterator[Listening]:
    for line in lines:
        if found := _LISTENING.search(line):
            yield Listening(host=found[1].lower(), port=int(found[2]), line=line)


def health_checks(lines: Sequence[str], path: str) -> Iterator[Probed]:
    """Lightsail's health checks in an access log, by path or by the checker's own name."""
    for line in lines:
        found = _REQUEST.search(line)
        if found and (found[2].split("?")[0] == path or _HEALTH_CHECKER in line):
            yield Probed(path=found[2], status=int(found[3]), line=line)
