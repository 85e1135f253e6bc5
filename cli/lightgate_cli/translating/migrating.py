"""Finds the migration in the command of a server, and takes it out."""

import re
import shlex
from dataclasses import dataclass

from lightgate.spec.command_words import wrong_words
from lightgate.spec.django_command import migrate_call, split_command
from lightgate.spec.migrating import Migrates, migrates
from lightgate.spec.programs import programs
from lightgate.spec.shell_line import Argv, commands_in_turn, shell_line, simple_words

# Exit code 0 of the second command means that nothing is pending.
_OTHERS: tuple[tuple[str, Argv], ...] = (
    (r"alembic(?: .*)? upgrade \S+", ("alembic", "current", "--check-heads")),
)
_FLASK = re.compile(r"(?:\S+ )*flask(?: .*)? db upgrade(?: .*)?")
_SERVERS = {
    *("gunicorn", "uvicorn", "daphne", "hypercorn", "granian", "uwsgi", "waitress-serve", "flask"),
    *("fastapi", "runserver"),
}


@dataclass(frozen=True, slots=True)
class Migration:
    """The keys of the container that migrates. `pending` is None for Django, which has a plan."""

    command: Argv
    before: tuple[Argv, ...] = ()
    pending: Argv | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """`rest` is what the server's container still runs; None is the CMD of its image."""

    migration: Migration
    rest: Argv | None


def migration_of(command: Argv) -> Migration | None:
    """The command as that of a container that only migrates."""
    if (call := migrate_call(command)) is not None:
        return Migration(call.argv)
    line = shlex.join(command)
    for pattern, pending in _OTHERS:
        if re.fullmatch(rf"(?:\S+ )*{pattern}", line):
            return Migration(command, pending=(*_wrapper(command, pending[0]), *pending))
    return Migration(command) if _FLASK.fullmatch(line) else None


def take_migration(command: Argv) -> Taken | None:
    """The migration and the rest; None if the command certainly does not migrate, or only that.

    Raises:
        ValueError: it migrates, and what remains without that is uncertain.
    """
    parts = _parts(command)
    found = [(i, one) for i, part in enumerate(parts) if (one := migration_of(part))]
    if len(found) == 1 and len(parts) > 1:
        index, migration = found[0]
        before = tuple(part for part in parts[:index] if _makes_migrations(part))
        rest = [part for i, part in enumerate(parts) if i != index and part not in before]
        return Taken(Migration(migration.command, before, migration.pending), _joined(rest))
    if found and len(parts) == 1:
        return None
    if found or migrates(command) is Migrates.YES:
        raise ValueError(shlex.join(command))
    return None


def is_django(command: Argv) -> bool:
    return any(one.manage_command for one in programs(command)) or ".wsgi" in " ".join(command)


def is_server(command: Argv) -> bool:
    """Whether the command runs a Python server."""
    return any(one.name in _SERVERS or one.manage_command in _SERVERS for one in programs(command))


def port_of(command: Argv) -> int | None:
    """The port on which the server of the command listens."""
    line = " ".join(command)
    pattern = r"(?:--bind|-b|--port|-p|runserver|--http|--listen)[ =](?:\S*:)?(\d{2,5})\b"
    found = re.search(pattern, line)
    return int(found[1]) if found else None


def for_no_shell(command: Argv) -> Argv:
    """The command as a list that means the same without a shell around it."""
    if wrong_words(command) is None:
        return command
    line = " ".join(word if "$" in word else shlex.quote(word) for word in command)
    return ("sh", "-c", f"exec {line}")


def _parts(command: Argv) -> list[Argv]:
    """The commands that run one after the other. A failure of one ends them all.

    Behind `;` a shell would go on after a failed migration, and serve.
    """
    if (line := shell_line(command)) is not None:
        # A line may end behind && and go on in the next one.
        command = (*command[:-1], re.sub(r"(&&|\|\|)\s+", r"\1 ", line[0]))
    split = split_command(command)
    if split is not None:
        return [*split.before, split.command, *split.then]
    line = shell_line(command)
    lines = commands_in_turn(line[0], stops_at_errors=True) if line is not None else None
    if lines is None:
        return [command]
    return [simple_words(each) or ("sh", "-c", each) for each in lines]


def _joined(parts: list[Argv]) -> Argv | None:
    """The commands as one, of which the last takes the place of the shell."""
    if len(parts) < 2:
        return parts[0] if parts else None
    lines = [_line(part) for part in parts]
    last = re.sub(r"^exec\s+", "", lines[-1])
    return ("sh", "-c", " && ".join([*lines[:-1], f"exec {last}"]))


def _line(part: Argv) -> str:
    line = shell_line(part)
    return line[0] if line is not None else shlex.join(part)


def _makes_migrations(part: Argv) -> bool:
    return any(one.manage_command == "makemigrations" for one in programs(part))


def _wrapper(command: Argv, program: str) -> Argv:
    """The words that run the program, such as `poetry run`."""
    return command[: command.index(program)] if program in command else ()
