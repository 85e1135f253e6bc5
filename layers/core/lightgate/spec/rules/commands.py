"""The commands of the containers, and the keys that belong to some commands only."""

from collections.abc import Iterator, Sequence, Set

from lightgate.json_reader import shown
from lightgate.spec.command_rules import (
    beside_the_plan,
    commands_of,
    needs_a_plan,
    not_the_call,
    outside_the_gate,
)
from lightgate.spec.command_words import wrong_words
from lightgate.spec.keys import Stage, call_of
from lightgate.spec.rules.under_check import SpecUnderCheck


def check_commands(checked: SpecUnderCheck, perhaps_pushed: Set[str]) -> None:
    """`perhaps_pushed` are the containers whose own image is not certainly another one."""
    spec = checked.spec
    for name, container in spec.containers.items():
        place = ("containers", name)
        is_wrapped = bool(container.depends_on or spec.conditions_on(name))
        is_foreign = container.image is not None and name not in perhaps_pushed
        is_foreign = is_foreign and checked.was_read(*place, "image")
        if is_wrapped and is_foreign and container.python is None:
            checked.report(
                "is missing: a container that waits, or that another one waits for, runs the "
                "gate, and that needs Python 3.8 or later; if the image "
                f'{shown(container.image)} has Python, write its name, such as "python3"; if '
                "not, remove the dependsOn of this container, and this container from every "
                "other dependsOn",
                *(*place, "python"),
            )
        if is_wrapped and is_foreign and container.command is None:
            checked.report(
                "is missing: the gate starts the command of a container that waits, or that "
                "another one waits for; write the command of the image "
                f"{shown(container.image)}",
                *(*place, "command"),
            )
        _check_words(checked, name)
        if not checked.knows_who_waits_for(name):
            continue
        _check_plan(checked, name)
        is_alone = not is_wrapped and checked.was_read(*place, "dependsOn")
        if container.python is not None and is_alone:
            checked.report("has no use: this container runs no gate; remove it", *place, "python")
        for key, text, reads in _useless_keys(checked, name):
            if all(checked.was_read(*place, each) for each in reads):
                checked.report(text, *place, key)


def _check_words(checked: SpecUnderCheck, name: str) -> None:
    """Report what no shell reads, and every `migrate` beside the command."""
    container = checked.spec.containers[name]
    for path, command in commands_of(container):
        place = ("containers", name, *path)
        if not checked.was_read(*place):
            continue
        wrong = wrong_words(command, container.manage)
        if wrong is None and path[0] in ("before", "then"):
            wrong = beside_the_plan(command, path[0])
        if wrong is not None:
            checked.report(wrong, *place)
            checked.root.problems.unread.append(place)


def _check_plan(checked: SpecUnderCheck, name: str) -> None:
    """Report a command that migrates without its plan, or that is more than its plan."""
    place = ("containers", name)
    keys = ("command", "image", "manage", "pendingCommand", "before", "then")
    if checked.spec.containers[name].image is not None or not all(
        checked.was_read(*place, key) for key in keys
    ):
        return
    if (problem := _plan_problem(checked, name)) is not None:
        checked.report(problem, *place, "command")


def _plan_problem(checked: SpecUnderCheck, name: str) -> str | None:
    spec, container = checked.spec, checked.spec.containers[name]
    if spec.runs_to_an_end(name) and container.manage:
        return not_the_call(container, container.manage)
    if not checked.was_read("migrations"):
        return None
    if spec.runs_to_an_end(name):
        return needs_a_plan(spec, name)
    # A container that holds the endpoint back is missing among its dependencies.
    endpoint = spec.public_endpoint
    is_last = endpoint is None or endpoint.container == name
    return outside_the_gate(spec, name) if is_last and name not in spec.gates() else None


def _useless_keys(checked: SpecUnderCheck, name: str) -> Iterator[tuple[str, str, Sequence[str]]]:
    """The keys of the container that would be ignored, why, and the keys that decide it."""
    spec, container = checked.spec, checked.spec.containers[name]
    task = "has no use: it belongs to a container that is waited for with SUCCESS or COMPLETE"
    ends, is_ours = spec.runs_to_an_end(name), container.image is None
    if container.fixtures and not spec.uses_preset(name):
        commands = "gives no command, so that the stage decides what it runs"
        yield "fixtures", f"{task} and {commands}; remove it", ("image", "command")
    elif container.fixtures and spec.stage is not Stage.DEVELOPMENT:
        text = f"are loaded in the stage development only, and the stage is {spec.stage}"
        yield "fixtures", text, ("image", "command")
    if container.manage and not (ends and is_ours):
        yield "manage", f"{task} and runs the pushed image; remove it", ("image",)
    if container.after_failure and not ends:
        yield "afterFailure", f"{task}; remove it", ()
    for key in ("before", "then"):
        if getattr(container, key) and not spec.reads_plan(name):
            yield (
                key,
                f"{task}, runs the pushed image and has the call of migrate as its command, or "
                "none; remove it",
                ("image", "command", "manage"),
            )
    is_django = container.manage or call_of(container)
    if container.pending_command and (not ends or spec.uses_preset(name) or is_django):
        text = f"{task} and is not Django, whose plan is read instead; remove it"
        yield "pendingCommand", text, ("image", "command", "manage")
