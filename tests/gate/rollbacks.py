"""Gates of a deployment that rolls back, and what they report."""

from typing import Any

from tests.gate.programs import Program, Runner
from tests.gate.projects import Project

# The release whose code and CONFIG this is, a later one, and the rollback.
OLD = "20250101t000000z-0a1b2c3d-9f8e"
NEWER = "20250202t000000z-1b2c3d4e-8f7e"
BACK = "20250202t000000z-1b2c3d4e-8f7e-back"


def rollback_environment(mode: str = "checked") -> dict[str, str]:
    """The environment of its containers."""
    return {"LIGHTGATE_ROLLBACK": mode, "LIGHTGATE_RELEASE": BACK}


def back(runner: Runner, crops: Project, mode: str = "checked", **more: Any) -> Program:
    crops.environment = rollback_environment(mode)
    return crops.gate(runner, **{"release": OLD, **more})


def newer(runner: Runner, crops: Project, *operations: str, release: str = NEWER) -> list[str]:
    """Release these migrations, and remove them from the code, which is the old one again."""
    crops.environment = {}
    names = [crops.migration(one) for one in operations]
    crops.gate(runner, release=release).event("succeeded")
    for name in names:
        (crops.directory / f"crops/migrations/{name.partition('.')[2]}.py").unlink()
    return names


def opens(migrate: Program) -> dict[str, Any]:
    done = migrate.event("succeeded")
    assert {one["release"] for one in migrate.events} == {BACK}
    assert migrate.named("applying") == migrate.named("locked") == []
    assert done["migrations"] == []
    return done


def stays_shut(migrate: Program) -> dict[str, Any]:
    failed = migrate.event("failed")
    assert {one["release"] for one in migrate.events} == {BACK}
    assert migrate.named("applying") == migrate.named("succeeded") == []
    assert failed["cause"] == "schema"
    assert failed["database"] == "unchanged"
    return failed
