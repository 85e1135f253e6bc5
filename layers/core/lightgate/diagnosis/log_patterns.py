"""What lines of Python programs say: exceptions, missing variables, addresses.

Whoever calls the app chooses what its requests leave in the log, also on the version that serves.
So a line counts only if it begins as the program itself writes it, and none that tells of a request
counts for anything but the request.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise

from lightgate.gate.evidence import MARK, TRACEBACK, exceptions
from lightgate.patterns import pattern

# What may stand before a program's own words: a time, a level, a process, a logger.
PREFIX = (
    rf"{MARK}?"
    r"(?:\[[^\]]{1,40}\] ?|\d{4}[-/]\d\d[-/]\d\d[T ][\d:.,]+(?:Z| ?[+-][\d:]+)? +"
    r"|(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRIT(?:ICAL)?)\b:?(?:[\w.]+:)? *)*"
)
_PREFIX = pattern(PREFIX)
_MARK = pattern(MARK)
# How Django tells of a request that it has refused; and the request line of an access log.
_PHRASES = "|".join(re.escape(one.phrase) for one in HTTPStatus if one.value >= 400)
_OF_A_REQUEST = pattern(
    rf"""\b(?:{_PHRASES})(?: \(.*\))?: /|"[A-Z]+ (?:/|\*|https?:)|\bInvalid request from ip="""
)
# What servers write above the traceback of a request.
_RAISED = pattern(
    r"\b(?:Internal Server Error: /|Exception in ASGI application|Error handling request)"
)
# How the usual readers of settings put it: django-environ, python-decouple, environs, starlette.
_MISSING = pattern(
    r"(?:health check: )?(?:\w+\.)*"
    r"(?:ImproperlyConfigured: Set the (\w+) environment variable"
    r"|UndefinedValueError: (\w+) not found\. Declare it as envvar"
    r"""|Env(?:Validation)?Error: Environment variable ["'](\w+)["'] (?:not set|is)"""
    r"|ImproperlyConfigured: Requested settings?.* You must either define the environment variable "
    r"(\w+)"
    r"|KeyError: [\"']Config '(\w+)' is missing, and has no default"
    r"|EnvValidationError: Environment variables invalid: \{[\"'](\w+)[\"']"
    r"|UnknownConfiguration: Configuration (\w+) not found"
    r"|ConfigurationMissingError: .*\bkey=(\w+)"
    r"|ValidationError: (\w+) is required in env "
    r"|(?:\S+: (?:line )?\d+: )(\w+): (?:unbound variable|parameter (?:null or )?not set))"
)
# pydantic has the names in lines of their own, each with what is wrong below it.
_INVALID = pattern(r"(?:\w+\.)*ValidationError: \d+ validation errors? for \w*(?:Settings|Config)")
_FIELD = pattern(r"(\w+)$")
_REQUIRED = pattern(r"\s*[Ff]ield required\b")
_KEY_ERROR = pattern(r"(?:\w+\.)*KeyError: '(\w+)'")
# A KeyError is about a variable only if the lookup was one in os.environ.
_ENVIRON_FRAME = pattern(r"environ\[|<frozen os>|[/\\]os\.py\"")
# What Python writes between the tracebacks of one error.
_JOINS = ("The above exception was", "During handling of the above")
_FRAMES_LOOKED_AT = 8
_FIELDS_LOOKED_AT = 30
_LISTENING = pattern(
    rf"{PREFIX}(?: \* )?(?:Listening at|(?:Uvicorn )?running on|Starting development server at"
    r"|Serving on|Listening on TCP address)[ :]+"
    r"(?:https?://)?(\[[0-9a-f:]*\]|[\w.-]+):(\d{1,5})\b",
    re.IGNORECASE,
)
_REQUEST = pattern(r'"(GET|HEAD) (\S+) HTTP/[\d.]+" (\d{3})\b')
_LOOPBACK = ("127.", "localhost", "[::1]")
# The user agent, where an access log has it: the last of what stands in quotes.
_USER_AGENT = pattern(r'"([^"]*)"\s*$')
_HEALTH_CHECKER = "ELB-HealthChecker/"


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


# What servers, and what watches them, say last when they cannot start.
_CRASHED = pattern(
    rf"{PREFIX}(?:(?:Reason: )?(?:Worker failed to boot|App failed to load)"
    r"|Exception in worker process|Error loading ASGI app"
    r"|Application startup failed|Can't connect to \('|(?:\S*/)?\w*sh: (?:(?:line )?\d+: )?exec: .*"
    r"not found|gunicorn: error:|(?:nginx: )?\[emerg\]"
    r"|gave up: \S+ entered FATAL state|\w[\w-]*\.\d+ stopped \(rc=[1-9])"
)
# The container's runtime, a shell, Python.
_WRONG_ARCHITECTURE = pattern(
    r"(?:exec \S+|standard_init_linux\.go:\d+: exec user process caused"
    r"|(?:\S*/)?\w*sh: (?:(?:line )?\d+: )?\S+): exec format error"
    r"|(?:OSError: \[Errno 8\]|cannot run '.*':) exec format error\b.*",
    re.IGNORECASE,
)
_NO_DRIVER = pattern(r"Error loading [\w ]+ module")
_ERROR_LEVEL = pattern(r"\b(?:ERROR|CRITICAL|FATAL|Error|error:|fatal:)")
_BAD_HOST = pattern(rf"{PREFIX}(?:[\w.]*DisallowedHost: )?Invalid HTTP_HOST header: '([0-9.]+)")


def without_prefix(line: str) -> str:
    """The program's own words."""
    return _PREFIX.sub("", line, count=1)


def is_of_a_request(line: str) -> bool:
    """Whether the line tells of a request, so that whoever called has chosen its words."""
    return _OF_A_REQUEST.search(line) is not None


def last_error(lines: Sequence[str]) -> str | None:
    """The last line that a program wrote as an error."""
    return next((line for line in reversed(lines) if _ERROR_LEVEL.search(line)), None)


def is_of_a_driver(line: str) -> bool:
    """Whether Django could not load a database driver: an exception before it says why."""
    return _NO_DRIVER.search(line) is not None


def is_crash(line: str) -> bool:
    return _CRASHED.match(line) is not None


def is_wrong_architecture(line: str) -> bool:
    return _WRONG_ARCHITECTURE.fullmatch(line.strip()) is not None


def refused_address(line: str) -> str | None:
    """What Django does not allow as the host of a request, if it looks like an address."""
    found = _BAD_HOST.match(line)
    return found and found[1]


def raised_by_request(lines: Sequence[str], path: str) -> str | None:
    """The exception that a request of this path ended with, by Django's own line about it."""
    said = f"Internal Server Error: {path}"
    begins = [number for number, line in enumerate(lines) if line.rstrip().endswith(said)]
    return next(iter(exceptions(lines[begins[-1] :])), None) if begins else None


def raised_at_start(lines: Sequence[str]) -> list[str]:
    """The exceptions that no request raised, as far as the line before their traceback shows."""
    kept, is_of_one, is_inside = [], False, False
    for line in lines:
        if line.endswith(TRACEBACK):
            is_inside = True
            if is_of_one:
                continue
        elif _unmarked(line)[:1].strip():
            if not is_inside and not line.startswith(_JOINS):
                is_of_one = _RAISED.search(line) is not None
            is_inside = False
        kept.append(line)
    return exceptions(kept)


def missing_variable(lines: Sequence[str]) -> tuple[str, str] | None:
    """A variable that a program asked for and did not have, and the line that says so.

    The last one in the lines. A KeyError counts only right below a lookup in the environment.
    """
    for index in range(len(lines) - 1, -1, -1):
        line = _unmarked(lines[index])
        if _INVALID.match(line) and (name := _required(lines[index + 1 :])):
            return name, f"{lines[index]} {name}"
        if found := _MISSING.match(line):
            return next(name for name in found.groups() if name), lines[index]
        if found := _KEY_ERROR.fullmatch(line.strip()):
            frames = lines[max(0, index - _FRAMES_LOOKED_AT) : index]
            if any(_ENVIRON_FRAME.search(frame) for frame in frames):
                return found[1], lines[index]
    return None


def _required(lines: Sequence[str]) -> str | None:
    """The first field that pydantic names as missing, below the line with its error."""
    said = [_unmarked(line) for line in lines if line.strip()][:_FIELDS_LOOKED_AT]
    pairs = pairwise(said)
    names = (_FIELD.match(name) for name, wrong in pairs if _REQUIRED.match(wrong))
    return next((one[1].upper() for one in names if one), None)


def _unmarked(line: str) -> str:
    return _MARK.sub("", line, count=1)


def listening(lines: Sequence[str]) -> Iterator[Listening]:
    for line in lines:
        if found := _LISTENING.match(line):
            yield Listening(host=found[1].lower(), port=int(found[2]), line=line)


def health_checks(lines: Sequence[str], path: str) -> Iterator[Probed]:
    """Lightsail's health checks in an access log: of this path, and not by anybody else."""
    for line in lines:
        found, agent = _REQUEST.search(line), _USER_AGENT.search(line)
        is_it = agent is None or agent[1].startswith(_HEALTH_CHECKER)
        if found and found[2] == path and is_it:
            yield Probed(path=found[2], status=int(found[3]), line=line)
