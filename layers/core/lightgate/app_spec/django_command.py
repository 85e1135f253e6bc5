"""Whether a command is Django's `migrate`, and how it calls manage.py."""

from pathlib import PurePosixPath

_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "busybox", "env"}
_DJANGO = {"manage.py", "django-admin", "django-admin.py"}


def manage_call(command: tuple[str, ...]) -> tuple[str, ...] | None:
    """The user's arguments up to `migrate`, which reach the app's own settings.

    A leading `timeout 300` is left out: it would end the process that holds the lock. None for
    what is no such command, and for a shell's line, in which the arguments are hidden
    (measured-facts.md, "Reaching the app's settings").
    """
    if "migrate" not in command:
        return None
    before = _without_timeout(command[: command.index("migrate")])
    if not before or PurePosixPath(before[0]).name in _SHELLS:
        return None
    is_program = PurePosixPath(before[-1]).name in _DJANGO
    is_module = before[-2:] == ("-m", "django")
    return before if is_program or is_module else None


def _without_timeout(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command that coreutils' `timeout [OPTION] DURATION` would run."""
    if not command or PurePosixPath(command[0]).name != "timeout":
        return command
    rest = list(command[1:])
    while rest and rest[0].startswith("-"):
        takes_a_word = rest.pop(0) in ("-k", "-s", "--kill-after", "--signal")
        if takes_a_word and rest:
            del rest[0]
    return tuple(rest[1:])


def database_alias(command: tuple[str, ...]) -> str:
    """The `--database` of a migrate command; Django's own default without one."""
    for index, argument in enumerate(command):
        if argument.startswith("--database="):
            return argument.partition("=")[2]
        if argument == "--database" and index + 1 < len(command):
            return command[index + 1]
    return "default"
