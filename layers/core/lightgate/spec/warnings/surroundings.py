"""Warnings that depend on the nodes of the service, or on the specs of other apps."""

from collections.abc import Iterator, Mapping

from lightgate.image.config import ImageConfig
from lightgate.spec.keys import AppSpec
from lightgate.spec.programs import programs
from lightgate.spec.schedulers import scheduler_of
from lightgate.spec.warnings.warning import SpecWarning, command_of


def warnings_of_nodes(spec: AppSpec, config: ImageConfig, nodes: int) -> list[str]:
    """`nodes` is the scale of the service: each of its nodes runs every container."""
    return [str(each) for each in _schedulers(spec, config, nodes)] if nodes > 1 else []


def _schedulers(spec: AppSpec, config: ImageConfig, nodes: int) -> Iterator[SpecWarning]:
    for container in spec.containers.values():
        for program in programs(command_of(spec, container, config)):
            if (scheduler := scheduler_of(program)) is not None:
                yield SpecWarning(
                    f"containers.{container.name}.command",
                    f"{scheduler} runs on each of the {nodes} nodes of {spec.service}, so each "
                    f"scheduled task starts {nodes} times",
                    "set the scale of the service to 1, move it to a service with one node, or use "
                    "a scheduler with a lock, such as celery-redbeat",
                )


def warnings_beside(spec: AppSpec, others: Mapping[str, AppSpec]) -> list[str]:
    """`others` are the specs of the other apps, by the names of these."""
    return [str(each) for name, other in others.items() for each in _beside(spec, name, other)]


def _beside(spec: AppSpec, name: str, other: AppSpec) -> Iterator[SpecWarning]:
    has_another_stage = spec.stage is not other.stage
    stages = f"the stage of this app is {spec.stage}, and that of {name} is {other.stage}"
    if other.service == spec.service:
        yield SpecWarning(
            "stage" if has_another_stage else "serviceName",
            f"the app {name} names the service {spec.service} too, and its releases are refused: a "
            f"service belongs to one app{f'; {stages}' if has_another_stage else ''}",
            f"give each app a service of its own, or delete the spec of {name} if nobody needs it",
        )
    ours, theirs = spec.database, other.database
    if ours is None or theirs is None or not has_another_stage:
        return
    if (ours.kind, ours.name) == (theirs.kind, theirs.name):
        yield SpecWarning(
            f"database.{ours.kind}",
            f"the app {name} uses the database {ours.name} too; {stages}",
            f"give the stage {spec.stage} a database of its own",
        )
