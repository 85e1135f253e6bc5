"""The causes that lines of servers, shells, drivers and Django name, with the advice for each.

The list is open-ended: a line that is not in it says nothing about the cause.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightgate.diagnosis.database_advice import ADVICE, reason_in
from lightgate.diagnosis.log_patterns import PREFIX, without_prefix
from lightgate.diagnosis.symptoms import FailureKind, Remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCause:
    """`what` is a sentence, and `action` an order without the way to start the release again.

    `ends_the_app` says that no app runs after such a line. Otherwise the live version may have
    written it as well. A lower `rank` explains more. With `comes_first` it explains the exceptions
    beside it.
    """

    what: str
    action: str
    line: str
    rank: int
    ends_the_app: bool = True
    comes_first: bool = False
    kind: FailureKind = FailureKind.APP_CRASH
    remedy: Remedy = Remedy.IMAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """In the texts of the cause `{0}` is the first group of the pattern."""

    pattern: re.Pattern[str]
    cause: LogCause


def _rule(pattern: str, what: str, action: str, **more: Any) -> _Rule:  # noqa: ANN401 - the fields of a cause
    cause = LogCause(what=what, action=action, line="", rank=0, **more)
    return _Rule(pattern=re.compile(PREFIX + pattern), cause=cause)


_EXCEPTION = r"(?:[\w.]+: )*(?:\w+\.)*"
# How a shell begins a line: its name or that of the script, and the line's number.
_SHELL = r"(?:[./]\S+|\S*sh|env|exec): (?:(?:line )?\d+: )?(?:exec: )?"
_ADDRESS_IN_USE = (
    "The app could not listen, because its port is in use.",
    "Let each server in the containers of the deployment listen on a port of its own: the "
    "containers of a node share the ports",
)
_MEMORY = (
    "The app was killed, probably because the node was out of memory.",
    "Check the memory metric of the service. Start fewer workers, or choose a larger power",
)
_LIBRARY = (
    "The image lacks the library {0}.",
    "Install the library {0} in the image (libpq.so.5 is in the package libpq5 on Debian, and in "
    "libpq on Alpine)",
)
_LINE_ENDINGS = (
    "A script of the image has Windows line endings.",
    "Store the script with LF line endings (*.sh text eol=lf in .gitattributes)",
)
_NO_PROGRAM = (
    "The image has no program {0}, or the program's interpreter is missing.",
    "Correct the command, or install {0} in the image. If {0} is a script, check the program in "
    "its first line, and store it with LF line endings",
)
_NOT_EXECUTABLE = (
    "The program {0} may not be executed.",
    "Make {0} executable in the image (chmod +x), also for the user of the container",
)
_NO_APP = (
    "The server could not load the app.",
    "Correct the module that the server's command names, and check that the image has it and that "
    "it can be imported: python -c 'import MODULE'",
)
_NOT_WRITABLE = (
    "The user of the container may not use {0}.",
    "Give the user of the container the right to {0} in the image (chown), or let the app log to "
    "its standard output",
)
_EXISTS = (
    "The database already has what the migration creates.",
    "Find out what created it (an earlier attempt, another branch, a change by hand). Compare "
    "python manage.py showmigrations with the schema, and correct the one that is wrong",
)

# The first rule that fits a line counts.
_RULES: tuple[_Rule, ...] = (
    _rule(r".*(?:\\r'?: (?:command )?not found|\$'[^']*\\r')", *_LINE_ENDINGS, comes_first=True),
    _rule(
        r"(?:\S*/)?env: (?:can't execute )?.*(?:sh|python\d?)(?:\\r| '|\?)",
        *_LINE_ENDINGS,
        comes_first=True,
    ),
    _rule(r".*/bin/\S*sh\^M: bad interpreter", *_LINE_ENDINGS, comes_first=True),
    _rule(
        r'.*exec: "?([^":]+)"?: (?:executable file not found in \$PATH|stat .*no such file)',
        *_NO_PROGRAM,
        remedy=Remedy.EITHER,
    ),
    _rule(r"exec (\S+): no such file or directory", *_NO_PROGRAM, remedy=Remedy.EITHER),
    _rule(r'(?:.*exec: \\?"([^"\\]+)\\?"|exec (\S+)): permission denied', *_NOT_EXECUTABLE),
    _rule(r"exec (\S+) failed: Permission denied", *_NOT_EXECUTABLE),
    _rule(r"exec (\S+) failed: No such file", *_NO_PROGRAM, remedy=Remedy.EITHER),
    _rule(
        r".*exec user process caused:? \"?no such file or directory",
        "The image lacks a program, or the program's interpreter is missing.",
        "Check the program in the first line of the script that the container starts, and store "
        "the script with LF line endings",
    ),
    _rule(_SHELL + r"(\S+): [Pp]ermission denied$", *_NOT_EXECUTABLE),
    _rule(_SHELL + r"(\S+): not found$", *_NO_PROGRAM, remedy=Remedy.EITHER),
    _rule(
        r"(?:\S+: (?:line \d+: )?)?(\S+): command not found$", *_NO_PROGRAM, remedy=Remedy.EITHER
    ),
    _rule(r"cannot run '([^']+)': Permission", *_NOT_EXECUTABLE),
    _rule(r"cannot run '([^']+)': No such file", *_NO_PROGRAM, remedy=Remedy.EITHER),
    _rule(r"(?:\S*python\S*|\S+): can't open file '([^']+)'", *_NO_PROGRAM, remedy=Remedy.EITHER),
    _rule(
        r"(?:.*: )?(?:Error: )?'(\$\w+|[^']*)' is not a valid port number",
        "The server's port {0} is not a number: no shell replaces a variable in the command.",
        'Write the port itself, or let a shell start the server: ["sh", "-c", "exec gunicorn '
        '--bind 0.0.0.0:$PORT …"], and set the variable in environment',
        remedy=Remedy.EITHER,
    ),
    _rule(r".*\[Errno 98\]|.*\b[Aa]ddress already in use", *_ADDRESS_IN_USE, remedy=Remedy.EITHER),
    _rule(
        r"Connection in use: |probably another instance of uWSGI",
        *_ADDRESS_IN_USE,
        remedy=Remedy.EITHER,
    ),
    _rule(
        r".*(?:Error loading shared library (\S+?):|(lib\S+\.so[.\d]*): cannot open shared object)",
        *_LIBRARY,
    ),
    _rule(
        r"(?:.* )?no app loaded|unable to load app \d+|--- no python application",
        *_NO_APP,
        remedy=Remedy.EITHER,
    ),
    _rule(
        r"Error loading ASGI app|Failed to find attribute|App failed to load",
        *_NO_APP,
        remedy=Remedy.EITHER,
    ),
    _rule(
        _EXCEPTION + r"ModuleNotFoundError: No module named '[^']*[aw]sgi'",
        *_NO_APP,
        remedy=Remedy.EITHER,
    ),
    _rule(
        r"Module '[^']*' has no attribute 'celery'|The module \S+ was not found\.$",
        *_NO_APP,
        remedy=Remedy.EITHER,
    ),
    _rule(
        r"Pidfile \(([^)]+)\) already exists|.*LockFailed: .*File exists: '([^']+)'",
        "Celery beat found the file {0} of a process before, and did not start.",
        "Start celery beat with --pidfile= : in a container of its own it needs no such file",
        remedy=Remedy.EITHER,
    ),
    _rule(
        _EXCEPTION + r"ImproperlyConfigured: The (\w+) setting must not be empty",
        "The setting {0} is empty.",
        "Add the variable that {0} is read from to environment, or to secrets, in the app's spec",
        kind=FailureKind.MISSING_VARIABLE,
        remedy=Remedy.SAME_IMAGE,
    ),
    _rule(
        _EXCEPTION + r"AppRegistryNotReady: ",
        "Django was used before it was set up.",
        "Let asgi.py or wsgi.py call get_asgi_application() or get_wsgi_application() before it "
        "imports consumers, routing or models",
    ),
    _rule(
        _EXCEPTION
        + r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]*settings[\w.]*)",
        "The image has no settings module {0}.",
        "Correct DJANGO_SETTINGS_MODULE in the container's environment, or add {0} to the image",
        remedy=Remedy.EITHER,
    ),
    _rule(
        _EXCEPTION + r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)",
        "The image has no module {0}.",
        "Install the module {0} in the image, or correct its name",
    ),
    _rule(
        _EXCEPTION + r"(?:PermissionError|.*?): ?\[Errno 13\] Permission denied: '([^']+)'",
        *_NOT_WRITABLE,
    ),
    _rule(
        _EXCEPTION + r"OSError: \[Errno 28\]",
        "The disk of the node is full.",
        "Let the app write less to the disk of the container",
    ),
    _rule(
        _EXCEPTION + r"ValueError: (?:Missing staticfiles manifest entry|The file '.*could not be)",
        "A static file is missing in the image.",
        "Run python manage.py collectstatic when the image is built, with the settings of the "
        "release",
        ends_the_app=False,
        kind=FailureKind.HEALTH_CHECK,
    ),
    _rule(
        _EXCEPTION + r"""(?:.*\b(?:relation|column|constraint|type|schema)\b .* already exists"""
        r"""|.*\((?:1050|1060|1061|1826), |.*(?:table|index) \S+ already exists)""",
        *_EXISTS,
        ends_the_app=False,
    ),
    _rule(
        _EXCEPTION + r"""(?:.*\brelation "([^"]+)" does not exist|.*\bno such table: (\S+)"""
        r"""|.*\(1146, "Table '([^']+)' doesn't exist)""",
        "The database has no table {0}.",
        "Check that this container and the one that migrates use the same database, and that a "
        "migration creates the table: python manage.py showmigrations",
        ends_the_app=False,
        kind=FailureKind.HEALTH_CHECK,
        remedy=Remedy.EITHER,
    ),
    _rule(
        r".*\bError -?\d+ connecting to (\S+?)\.(?: |$)",
        "The app cannot reach {0}.",
        "Correct the address of this service in the app's variables, and check that it is "
        "available. The containers of one deployment reach each other as localhost",
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    _rule(
        r".*\bCannot connect to (\w+)://",
        "Celery cannot reach its broker ({0}).",
        "Correct the address of the broker in the app's variables, and check that it is available",
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    _rule(
        _EXCEPTION + r"InconsistentMigrationHistory: ",
        "The recorded migrations contradict the dependencies of the migrations in the image.",
        "Compare python manage.py showmigrations --plan with the table django_migrations: a "
        "migration was renamed, or got a dependency after it was applied",
    ),
    _rule(
        _EXCEPTION + r"(?:CommandError: )?Conflicting migrations detected",
        "Two migrations of one app follow the same migration.",
        "Merge them with python manage.py makemigrations --merge, commit the new migration",
    ),
    _rule(
        r"Migrations for '[^']+':",
        "The models of the image have changes without a migration.",
        "Run python manage.py makemigrations, commit the new migration",
    ),
    _rule(
        r"(?:SystemCheckError: |\?: |.*\(\w+\.[EC]\d+\) )",
        "A system check of Django failed.",
        "Run python manage.py check with this image and the app's variables, correct what it names",
    ),
    _rule(
        r"(?:.*Perhaps out of memory\?|.*OOMKilled|(?:.*: +\d+ )?Killed(?: {2,}.*)?$"
        r"|.*[Oo]ut of memory)",
        *_MEMORY,
        ends_the_app=False,
        remedy=Remedy.SAME_IMAGE,
    ),
    _rule(
        _EXCEPTION + r"(?:MemoryError\b|OSError: \[Errno 12\])",
        "A process of the app had no memory left.",
        _MEMORY[1],
        ends_the_app=False,
        remedy=Remedy.SAME_IMAGE,
    ),
    _rule(
        r".*WORKER TIMEOUT",
        "A worker of gunicorn did not answer in time and was killed.",
        "Find out what takes so long when the app starts, or in the health check; if it is a slow "
        "start, raise gunicorn's --timeout, or use --preload",
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    _rule(
        r"(?:.*Segmentation fault|Fatal Python error: |.*(?:signal 11|SIGSEGV)|!!! uWSGI process)",
        "The app crashed in native code.",
        "Run the image on your machine with PYTHONFAULTHANDLER=1, and update the package that the "
        "output names",
        ends_the_app=False,
    ),
    _rule(
        r".*(?:terminated due to signal 9|was sent SIGKILL|signal 9 \(SIGKILL\)"
        r"|killed by signal 9)",
        *_MEMORY,
        ends_the_app=False,
        remedy=Remedy.SAME_IMAGE,
    ),
)


def cause_of(line: str) -> LogCause | None:
    """The cause that the line names, if any."""
    for rank, rule in enumerate(_RULES):
        if found := rule.pattern.match(line):
            group = next((one for one in found.groups() if one), "")
            what, action = (text.format(group) for text in (rule.cause.what, rule.cause.action))
            return replace(rule.cause, what=what, action=action, line=line, rank=rank)
    if (reason := reason_in(without_prefix(line))) is None:
        return None
    advice = ADVICE[reason]
    return LogCause(
        what=f"It could not use the database: {advice.what}.",
        action=advice.action,
        line=line,
        rank=len(_RULES),
        ends_the_app=False,
        kind=advice.kind,
        remedy=Remedy.SAME_IMAGE,
    )


def find_cause(lines: Sequence[str], *, ends_the_app: bool | None = None) -> LogCause | None:
    """The cause that the rule nearest to the top names; of several lines the last one.

    With `ends_the_app` only causes of that kind.
    """
    found = [one for line in reversed(lines) if (one := cause_of(line)) is not None]
    fitting = [one for one in found if ends_the_app in (None, one.ends_the_app)]
    return min(fitting, key=lambda one: one.rank, default=None)
