"""The `lightgate` commands that messages name beside those of AWS."""

import shlex
from collections.abc import Mapping, Sequence

from lightgate.release.start_command import start_command

_DEFAULT_STACK = "lightgate"
_MACHINE = "-release"
_FLAGS = {"skipSnapshot": "--skip-snapshot", "allowDestructive": "--allow-destructive"}


def lightgate_command(execution: str, request: Mapping[str, object]) -> str:
    """The command that starts an execution with the input `request`.

    `execution` is the ARN of an execution of the same stack. The command can be copied to a shell.
    """
    app = str(request["app"])
    flags = [flag for name, flag in _FLAGS.items() if request.get(name)]
    command = request.get("command")
    if (version := request.get("rollbackTo")) is not None:
        return _line(execution, "rollback", app, "--to", str(version), *flags)
    tag, digest = request.get("tag"), request.get("digest")
    if isinstance(command, list | tuple):
        image = _option("image", tag if digest is None else digest)
        return _line(execution, "run", app, *image, *flags, then=("--", *command))
    given = [*_option("tag", tag), *_option("digest", digest)]
    return _line(execution, "release", app, *given, *flags)


def how_to_start(execution: str, request: Mapping[str, object]) -> str:
    """Both commands that start it, as the end of a sentence."""
    return " ".join(ways_to_start(execution, request))


def ways_to_start(execution: str, request: Mapping[str, object]) -> Sequence[str]:
    """The commands for people with and without the command `lightgate`, one for each line.

    A message shows no line break. So if a word has one, only the command of AWS can be copied.
    """
    command, without = lightgate_command(execution, request), start_command(execution, request)
    return [command, f"(without the CLI: {without})"] if command.isprintable() else [without]


def resume_command(execution: str, app: str) -> str:
    """The command that ends the pause of an app."""
    return _line(execution, "resume", app)


def _option(name: str, value: object) -> Sequence[str]:
    return () if value is None else (f"--{name}", str(value))


def _line(execution: str, *words: str, then: Sequence[object] = ()) -> str:
    stack = _stack_of(execution)
    named = [] if stack in (None, _DEFAULT_STACK) else ["--stack", str(stack)]
    return shlex.join(["lightgate", *words, *named, *map(str, then)])


def _stack_of(execution: str) -> str | None:
    """By the name of its state machine (template.yaml); None if that has another form."""
    machine = execution.rpartition(":")[0].rpartition(":")[2]
    return machine.removesuffix(_MACHINE) if machine.endswith(_MACHINE) else None
