"""What the image itself runs: its ENTRYPOINT, and its CMD where a container gives no command."""

import shlex
from collections.abc import Iterator, Sequence

from lightgate.image.config import ImageConfig
from lightgate.json_reader import printable
from lightgate.patterns import pattern
from lightgate.spec.command_rules import REMEDY
from lightgate.spec.django_command import runs_what_follows
from lightgate.spec.keys import AppSpec
from lightgate.spec.migrating import Migrates, migrates
from lightgate.spec.programs import programs

# They take what follows as their own arguments.
_SERVERS = {
    *("gunicorn", "uvicorn", "daphne", "hypercorn", "granian", "uwsgi", "waitress-serve"),
    *("celery", "nginx", "supervisord", "honcho"),
}
_DJANGO = {"manage.py", "django-admin", "django-admin.py", "django"}
# A shell's line that has nothing of this ignores what follows it.
_MAY_READ_WHAT_FOLLOWS = pattern(r"[$`]|(?:^|[\s;&|({])(?:\.|source|eval)\s")


def refusals_of_the_image(spec: AppSpec, config: ImageConfig) -> Iterator[str]:
    """Why the spec is refused with this image.

    The image certainly migrates outside a gate, or certainly keeps a gate from running.
    """
    entrypoint = printable(shlex.join(config.entrypoint))
    if (held := _held_back(spec)) and _never_runs_what_follows(config.entrypoint):
        yield (
            f"image: its ENTRYPOINT ({entrypoint}) does not run the command that follows it, so "
            f"the gate programs of {', '.join(held)} never run; take it out of the image, or end "
            'it in exec "$@"'
        )
    if not spec.migrations.allow_outside_gate:
        yield from map(printable, _certain(spec, config))


def _certain(spec: AppSpec, config: ImageConfig) -> Iterator[str]:
    if migrates(config.entrypoint) is Migrates.YES:
        yield (
            f"image: its ENTRYPOINT ({shlex.join(config.entrypoint)}) runs migrate in every "
            "container, without plan, lock and policy, and before the gate; take it out of the "
            'image, or say "migrations": {"allowOutsideGate": true}'
        )
        return
    for name in _alone(spec):
        command = spec.containers[name].command or ()
        behind = migrates((*config.entrypoint, *command))
        if behind is Migrates.YES is not migrates(command):
            yield (
                f"containers.{name}.command: behind the image's ENTRYPOINT "
                f"({shlex.join(config.entrypoint)}) it runs migrate outside a gate{REMEDY}"
            )
    for name in _serving_containers(spec):
        command = _what_runs(spec, name, config)
        if command and migrates(command) is Migrates.YES:
            yield (
                f"containers.{name}.command: is missing, and the image's CMD "
                f"({shlex.join(config.command)}) runs migrate outside a gate{REMEDY}"
            )


def warnings_of_the_image(spec: AppSpec, config: ImageConfig) -> Iterator[str]:
    """What the image may run outside a gate. Scripts in it cannot be read here."""
    for name in _serving_containers(spec):
        command = _what_runs(spec, name, config)
        found = migrates(command) if command else Migrates.NO
        if found is Migrates.PERHAPS and migrates(config.entrypoint) is Migrates.NO:
            yield (
                f"containers.{name}.command: is missing, and the image's CMD "
                f"({shlex.join(config.command)}) may run migrate outside a gate; Lightgate reports "
                "it then, and does not roll back automatically; give the command without it"
            )
    entrypoint = shlex.join(config.entrypoint)
    if config.entrypoint and not runs_what_follows(config.entrypoint):
        yield (
            f"image: its ENTRYPOINT ({entrypoint}) comes before every command, the gate's too. If "
            'it does not end in exec "$@", the gate never runs. If it runs migrate, that happens '
            "before the gate: Lightgate reports it, and does not roll back automatically. An "
            "image without an ENTRYPOINT is safe"
        )
    if spec.migrations.allow_outside_gate:
        for line in _certain(spec, config):
            yield line.partition(", or say")[0]


def _held_back(spec: AppSpec) -> list[str]:
    """The containers of the pushed image that run under a supervisor or a waiter."""
    gates = spec.gates()
    return [
        name
        for name, one in spec.containers.items()
        if one.image is None and (one.depends_on or name in gates)
    ]


def _alone(spec: AppSpec) -> Iterator[str]:
    """The containers of the pushed image whose own command stands right behind the ENTRYPOINT."""
    held = _held_back(spec)
    for name, one in spec.containers.items():
        if one.image is None and one.command is not None and name not in held:
            yield name


def _never_runs_what_follows(entrypoint: Sequence[str]) -> bool:
    found = programs(entrypoint)
    if any(one.in_shell for one in found):
        return not _MAY_READ_WHAT_FOLLOWS.search(" ".join(entrypoint))
    return any(one.name in _SERVERS | _DJANGO for one in found)


def _serving_containers(spec: AppSpec) -> Iterator[str]:
    """The containers of the pushed image that run the image's CMD outside a gate."""
    gates = spec.gates()
    return (name for name in spec.containers if spec.uses_image_command(name) and name not in gates)


def _what_runs(spec: AppSpec, name: str, config: ImageConfig) -> tuple[str, ...]:
    """The words that the container starts: behind a waiter the CMD, otherwise the whole image."""
    is_alone = not spec.containers[name].depends_on
    return (*config.entrypoint, *config.command) if is_alone else config.command
