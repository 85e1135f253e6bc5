"""The warning that each rule makes, and the parts of a spec that several rules read."""

from collections.abc import Iterator
from dataclasses import dataclass

from lightgate.image.config import ImageConfig
from lightgate.json_reader import printable
from lightgate.spec.keys import AppSpec, Container


@dataclass(frozen=True, slots=True)
class SpecWarning:
    """A warning about a valid spec, as one line of text. It never has the value of a secret."""

    path: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return printable(f"{self.path}: {self.problem}; {self.fix}")


@dataclass(frozen=True, slots=True)
class Variable:
    path: str
    name: str
    value: str


def variables(spec: AppSpec) -> Iterator[Variable]:
    """Each variable of an environment once, where the spec gives it."""
    for name, value in spec.environment.items():
        yield Variable(f"environment.{name}", name, value)
    for container in spec.containers.values():
        for name, value in container.environment.items():
            if spec.environment.get(name) != value:
                yield Variable(f"containers.{container.name}.environment.{name}", name, value)


def commands(spec: AppSpec) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each command that the spec gives, with its path."""
    for name, container in spec.containers.items():
        check = container.health_check
        for key, command in (
            ("command", container.command),
            *((f"before[{index}]", argv) for index, argv in enumerate(container.before)),
            *((f"then[{index}]", argv) for index, argv in enumerate(container.then)),
            ("pendingCommand", container.pending_command),
            ("healthCheck.command", check.command if check else None),
        ):
            if command:
                yield f"containers.{name}.{key}", command


def command_of(spec: AppSpec, container: Container, config: ImageConfig | None) -> tuple[str, ...]:
    """The command of the container, its own or the CMD of the pushed image; empty if unknown."""
    if container.command is not None:
        return container.command
    if config is not None and spec.uses_image_command(container.name):
        return config.command
    return ()
