"""Whether a command is certainly Django's `migrate` and nothing else, and how it calls manage.py.

The plan of a container is relied on, so a command counts only if its program is certain: behind
programs that only run another one, or as the single command of a shell's line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from lightgate.patterns import pattern
from lightgate.spec.programs import PYTHON
from lightgate.spec.shell_line import (
    ASSIGNMENT,
    Argv,
    commands_in_turn,
    shell_line,
    simple_words,
)

_DJANGO = {"manage.py", "django-admin", "django-admin.py"}
_PYTHON_FLAGS = pattern(r"-[bBdEIOPqsSuv]+")
_MANAGE_MODULE = pattern(r"django|(?:\w+\.)*manage")


@dataclass(frozen=True, slots=True)
class _Wrapper:
    """A program that runs the rest of its arguments.

    `words` may have options before and behind them. `valued` are its options with a word of their
    own. `is_dashed`: the command stands behind `--`, whatever comes before.
    """

    words: tuple[str, ...] = ()
    valued: tuple[str, ...] = ()
    operands: int = 0
    is_dashed: bool = False


_UV = (
    *("--with", "--with-editable", "--with-requirements", "--python", "-p", "--env-file"),
    *("--project", "--directory", "--extra", "--group", "--only-group", "--no-group", "--package"),
)
_RUN = _Wrapper(words=("run",))
_DASHED = _Wrapper(is_dashed=True)
_WRAPPERS: Mapping[str, _Wrapper] = {
    "nice": _Wrapper(valued=("-n", "--adjustment")),
    "ionice": _Wrapper(valued=("-c", "-n", "--class", "--classdata")),
    "nohup": _Wrapper(),
    "stdbuf": _Wrapper(valued=("-i", "-o", "-e", "--input", "--output", "--error")),
    "timeout": _Wrapper(valued=("-k", "-s", "--kill-after", "--signal"), operands=1),
    "tini": _Wrapper(valued=("-p", "-e")),
    "tini-static": _Wrapper(valued=("-p", "-e")),
    "dumb-init": _Wrapper(valued=("-r", "--rewrite")),
    "catatonit": _Wrapper(),
    "gosu": _Wrapper(operands=1),
    "su-exec": _Wrapper(operands=1),
    "setuser": _Wrapper(operands=1),
    "s6-setuidgid": _Wrapper(operands=1),
    "setpriv": _Wrapper(valued=("--reuid", "--regid", "--groups", "--inh-caps", "--bounding-set")),
    "ddtrace-run": _Wrapper(),
    "opentelemetry-instrument": _Wrapper(
        valued=(
            *("--traces_exporter", "--metrics_exporter", "--logs_exporter", "--service_name"),
            *("--exporter_otlp_endpoint", "--id_generator", "--resource_attributes"),
        )
    ),
    "newrelic-admin": _Wrapper(words=("run-program",)),
    "elasticapm-run": _Wrapper(),
    "poetry": _Wrapper(words=("run",), valued=("-C", "--directory", "-P", "--project")),
    "pipenv": _RUN,
    "pdm": _Wrapper(words=("run",), valued=("-p", "--project")),
    "hatch": _Wrapper(words=("run",), valued=("-e", "--env", "-p", "--project")),
    "rye": _RUN,
    "uv": _Wrapper(words=("run",), valued=_UV),
    **dict.fromkeys(("doppler", "infisical", "op", "teller", "berglas"), _DASHED),
    **dict.fromkeys(("aws-vault", "chamber", "runuser"), _DASHED),
    "dotenv": _Wrapper(words=("run",), valued=("-f", "--file"), is_dashed=True),
    **dict.fromkeys(("wait-for-it", "wait-for-it.sh", "wait-for", "wait-for.sh"), _DASHED),
    **dict.fromkeys(("wait_for_it", "wait_for_it.sh"), _DASHED),
}
_FLAGS_OF_ENV = ("-i", "-", "--ignore-environment", "--")
# Words of a shell: between two commands, or to redirect the output. Nothing else reads them.
OPERATOR = pattern(r"&&|\|\|?|;|&|[0-9&]?(?:>>?|<)(?:&[0-9]|/dev/null)?")
# They would end the process that holds the lock, or keep it from being ended.
_NOT_FOR_THE_HELPER = {"timeout", "tini", "tini-static", "dumb-init", "catatonit"}

# Calls of `migrate` that change nothing. Those that only show something also succeed always.
_SHOW = ("--plan", "--help", "-h", "--version")
APPLY_NOTHING = ("--check", *_SHOW)


@dataclass(frozen=True, slots=True)
class MigrateCall:
    """A command that is Django's `migrate` alone.

    `manage` are the words that call manage.py, and reach the app's own settings. `argv` is the
    command without a shell. It has `manage` and `migrate` in a row.
    """

    manage: Argv
    argv: Argv


@dataclass(frozen=True, slots=True)
class Split:
    """A command as the three keys of a container."""

    before: tuple[Argv, ...]
    command: Argv
    then: tuple[Argv, ...]


def migrate_call(command: Argv, declared: Argv | None = None) -> MigrateCall | None:
    """The call of `migrate` that the command certainly is; None if it may be anything else.

    `declared` is the key `manage`: then the command has to be that, followed by `migrate`.
    """
    argv = _without_shell(command)
    if argv is None or any(map(OPERATOR.fullmatch, argv)):
        return None
    first = _for_the_helper(argv)
    if first is None:
        return None
    if declared is not None:
        is_it = argv[first : first + len(declared) + 1] == (*declared, "migrate")
        return MigrateCall(declared, argv) if is_it else None
    last = _end_of_manage(argv, first)
    if last is None or argv[last : last + 1] != ("migrate",):
        return None
    return MigrateCall(argv[first:last], argv)


def split_command(command: Argv, declared: Argv | None = None) -> Split | None:
    """The command as what comes before `migrate`, `migrate`, and what comes then.

    None unless that certainly means the same.
    """
    parts = _parts(command)
    if parts is None:
        return None
    calls = [migrate_call(part, declared) for part in parts]
    found = [
        index
        for index, call in enumerate(calls)
        if call is not None and not set(_SHOW) & set(call.argv)
    ]
    if len(found) != 1 or (call := calls[found[0]]) is None:
        return None
    return Split(tuple(parts[: found[0]]), call.argv, tuple(parts[found[0] + 1 :]))


def _parts(command: Argv) -> list[Argv] | None:
    """The commands that run one after the other, each only if the former succeeded."""
    if "&&" in command:
        parts: list[list[str]] = [[]]
        for word in command:
            if word == "&&":
                parts.append([])
            else:
                parts[-1].append(word)
        return [tuple(part) for part in parts if part]
    position = _wrapped_from(command)
    line = shell_line(command[position:]) if position is not None else None
    if line is None:
        return None
    lines = commands_in_turn(line[0], stops_at_errors=line[1])
    if lines is None:
        return None
    wrappers, shell = command[:position], command[:-1]
    return [
        (*wrappers, *words) if (words := simple_words(each)) else (*shell, each) for each in lines
    ]


def _without_shell(command: Argv) -> Argv | None:
    """The command, in which the words of a shell's line take the place of the shell."""
    position = _wrapped_from(command)
    if position is None:
        return None
    line = shell_line(command[position:])
    if line is None:
        return command
    words = simple_words(line[0])
    return None if words is None else _without_shell((*command[:position], *words))


def _wrapped_from(command: Argv) -> int | None:
    """Where the program behind all wrappers stands; None if that is uncertain."""
    position = 0
    while position < len(command):
        step = _wrapper_words(command[position:])
        if step is None:
            return None
        if step == 0:
            return position
        position += step
    return None


def _wrapper_words(words: Argv) -> int | None:
    """How many words the wrapper at the front takes; 0 if it is none, None if that is uncertain."""
    name = PurePosixPath(words[0]).name
    if name == "env":
        return _words_of_env(words)
    wrapper = _WRAPPERS.get(name)
    if wrapper is None:
        return 0
    if wrapper.is_dashed and ("--" in words or not wrapper.words):
        return words.index("--") + 1 if "--" in words else None
    position = 1
    for word in wrapper.words:
        position = _behind_options(wrapper, words, position)
        if words[position : position + 1] != (word,):
            return None
        position += 1
    end = _behind_options(wrapper, words, position)
    is_other = {"-m", "--module", "-c", "-s", "--script"} & set(words[position:end])
    return None if is_other and name == "uv" else end + wrapper.operands


def _behind_options(wrapper: _Wrapper, words: Argv, position: int) -> int:
    while position < len(words) and words[position].startswith("-"):
        option = words[position]
        position += 2 if option in wrapper.valued else 1
        if option == "--":
            break
    return position


def _words_of_env(words: Argv) -> int | None:
    position = 1
    while position < len(words):
        word = words[position]
        if word in ("-u", "--unset") or word in ("-C", "--chdir"):
            position += 2
        elif word in _FLAGS_OF_ENV or word.startswith("--chdir=") or ASSIGNMENT.fullmatch(word):
            position += 1
        else:
            return None if word.startswith("-") else position
    return None


def _for_the_helper(argv: Argv) -> int | None:
    """Where the words begin with which the helper may be started too.

    None if a program that must not run the helper stands behind another one.
    """
    position, first = 0, 0
    while position < len(argv):
        step = _wrapper_words(argv[position:])
        if not step:
            return first
        if PurePosixPath(argv[position]).name in _NOT_FOR_THE_HELPER:
            if position != first:
                return None
            first = position + step
        position += step
    return first


def _end_of_manage(argv: Argv, first: int) -> int | None:
    """Where the call of manage.py ends; None if the program is not certainly that."""
    position = first
    while position < len(argv) and (step := _wrapper_words(argv[position:])):
        position += step
    rest = argv[position:]
    if not rest:
        return None
    name = PurePosixPath(rest[0]).name
    if name in _DJANGO:
        return position + 1
    if not PYTHON.fullmatch(name):
        return None
    position += 1
    while position < len(argv) and argv[position].startswith("-") and argv[position] != "-m":
        if argv[position] in ("-W", "-X"):
            position += 2
        elif _PYTHON_FLAGS.fullmatch(argv[position]) or argv[position][:2] in ("-W", "-X"):
            position += 1
        else:
            return None
    if argv[position : position + 1] == ("-m",):
        module = argv[position + 1 : position + 2]
        return position + 2 if module and _MANAGE_MODULE.fullmatch(module[0]) else None
    script = argv[position : position + 1]
    return position + 1 if script and PurePosixPath(script[0]).name in _DJANGO else None


def runs_what_follows(entrypoint: Argv) -> bool:
    """Whether an ENTRYPOINT certainly does nothing but run the command behind it."""
    return _wrapped_from((*entrypoint, "command")) == len(entrypoint)


def database_alias(command: Argv) -> str:
    """The `--database` of a migrate command; Django's own default without one."""
    for index, argument in enumerate(command):
        if argument.startswith("--database="):
            return argument.partition("=")[2]
        if argument == "--database" and index + 1 < len(command):
            return command[index + 1]
    return "default"
