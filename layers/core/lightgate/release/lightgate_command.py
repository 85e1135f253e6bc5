"""The `lightgate` commands that messages name beside those of AWS."""

import shlex
from collections.abc import Mapping, Sequence

_DEFAULT_STACK = "lightgate"
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
    if isinstance(command, list | tuple):
        image = str(request.get("tag") or request.get("digest"))
        return _line(execution, "run", app, "--image", image, *flags, then=("--", *command))
    given = [part for name in ("tag", "digest") for part in _option(name, request.get(name))]
    return _line(execution, "release", app, *given, *flags)


def resume_command(execution: str, app: str) -> str:
    """The command that ends the pause of an app."""
    return _line(execution, "resume", app)


def _option(name: str, value: object) -> Sequence[str]:
    return () if value is None else (f"--{name}", str(value))


def _line(execution: str, *words: str, then: Sequence[object] = ()) -> str:
    stack = _stack_of(execution)
    named = [] if stack == _DEFAULT_STACK else ["--stack", stack]
    return shlex.join(["lightgate", *words, *named, *map(str, then)])


def _stack_of(execution: str) -> str:
    """By the name of its state machine (template.yaml)."""
    return execution.rpartition(":")[0].rpartition(":")[2].removesuffix("-release")
