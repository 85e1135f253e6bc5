"""The rules for the commands of a container, each with what to write in its place."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from lightgate.json_reader import shown
from lightgate.spec.command_words import as_keys, runs_on, write
from lightgate.spec.django_command import APPLY_NOTHING, Split, split_command
from lightgate.spec.keys import AppSpec, Container, call_of
from lightgate.spec.migrating import Migrates, migrates
from lightgate.spec.migration_policy import Policy
from lightgate.spec.programs import programs
from lightgate.spec.shell_line import Argv

_INSTEAD = {
    r"\bcd ": ". Instead of cd DIR, write DIR/manage.py",
    r"\bexport \w+=": '. Instead of export, write the variable in "environment"',
    r"(?:^|\s)(?:source|\.) \S*/activate\b": (
        ". Instead of activate, write the Python of the environment, such as /venv/bin/python"
    ),
}


def commands_of(container: Container) -> Iterator[tuple[Sequence[str | int], Argv]]:
    """Each command of the container, with its keys below the container."""
    check = container.health_check
    yield ("command",), container.command or ()
    for key, argvs in (("before", container.before), ("then", container.then)):
        for index, argv in enumerate(argvs):
            yield (key, index), argv
    yield ("pendingCommand",), container.pending_command or ()
    yield ("manage",), container.manage or ()
    yield ("healthCheck", "command"), check.command if check is not None else ()


def not_the_call(container: Container, manage: Argv) -> str | None:
    """Why the command is not the call of `migrate` that `manage` says; None if it is."""
    command = container.command
    if command is None or call_of(container) is not None:
        return None
    return f"is not {shlex.join(manage)} migrate and nothing else{_how_to_split(container, manage)}"


def _how_to_split(container: Container, manage: Argv | None) -> str:
    command = container.command or ()
    why = ", so its plan would not show all that it does"
    calls = [one for one in programs(command) if one.manage_command == "migrate"]
    if sum(not one.has(*APPLY_NOTHING) for one in calls) > 1:
        return (
            f"{why}; give each call of migrate a container of its own, which waits for the one "
            "before it with SUCCESS"
        )
    split = split_command(command, manage) or split_command(command)
    is_short = split is not None and not runs_on(split)
    if split is not None and is_short and (instead := write(_merged(split, container), command)):
        is_other = manage is not None and split.command[: len(manage) + 1] != (*manage, "migrate")
        return f"{why}{instead}{', without manage' if is_other else ''}"
    call = shlex.join([*(manage or ("python", "manage.py")), "migrate"])
    server = ", and the server to a container that waits for this one with SUCCESS"
    return (
        f'{why}; give {call} alone, and move the rest to "before" and "then"'
        f"{server if split is not None and not is_short else ''}{_hints(command)}"
    )


def _hints(command: Argv) -> str:
    """What takes the place of words that change the shell itself."""
    line = " ".join(command)
    return "".join(text for pattern, text in _INSTEAD.items() if re.search(pattern, line))


def _merged(split: Split, container: Container) -> Mapping[str, object]:
    """The keys of the split, with what the container has around its command already."""
    before, then = (*container.before, *split.before), (*split.then, *container.then)
    return as_keys(Split(before, split.command, then))


def without_plan(container: Container) -> str | None:
    """Why the plan of a command that may migrate cannot be read; None if it certainly does not."""
    command = container.command or ()
    if container.pending_command is not None or call_of(container) is not None:
        return None
    match migrates(command):
        case Migrates.YES if len(programs(command)) > 1 or _hints(command):
            return f"runs migrate and more{_how_to_split(container, None)}"
        case Migrates.YES | Migrates.PERHAPS:
            call = '"command": ["python", "manage.py", "migrate"]'
            return (
                f"{shown(shlex.join(command))} may run migrate, and Lightgate cannot read its "
                f'plan; write {call}, with the rest in "before" and "then", or name the words '
                'that call manage.py in "manage"'
            )
    return None


def beside_the_plan(command: Argv, key: str | int) -> str | None:
    """Why a command cannot stand in `before` or `then`."""
    for program in programs(command):
        if program.manage_command == "migrate" and program.has("--check") and key == "before":
            return (
                "fails exactly if there is something to migrate, so nothing would ever be "
                "migrated; remove it, or move it to then"
            )
        if program.manage_command == "migrate" and not program.has(*APPLY_NOTHING):
            return (
                "applies migrations, and their plan would not be read; only the call in command "
                "does that"
            )
    return None


def outside_the_gate(spec: AppSpec, name: str) -> str | None:
    """Why the command of a container that serves must not migrate."""
    command = spec.containers[name].command or ()
    if spec.migrations.allow_outside_gate or migrates(command) is not Migrates.YES:
        return None
    return f"runs migrate outside a gate{REMEDY}"


REMEDY = (
    ", without plan, lock and policy; move migrate to a container that this one waits for with "
    'SUCCESS, or say "migrations": {"allowOutsideGate": true}'
)


def needs_a_plan(spec: AppSpec, name: str) -> str | None:
    """Why the policy `block` refuses the command of this container; None if it does not."""
    if spec.migrations.policy is not Policy.BLOCK or spec.reads_plan(name):
        return None
    container = spec.containers[name]
    if container.image is not None or container.command is None:
        return None
    why = without_plan(container)
    return why and f"{why}; the policy block needs a plan"
