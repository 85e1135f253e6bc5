"""Gates of a deployment that goes back, and what they say then."""

from typing import Any

from tests.gate.programs import House, Program
from tests.gate.projects import Project

# The release whose code and CONFIG this is, one that came after it, and what goes back.
OLD = "20250101t000000z-0a1b2c3d-9f8e"
NEWER = "20250202t000000z-1b2c3d4e-8f7e"
BACK = "20250202t000000z-1b2c3d4e-8f7e-back"


def goes_back(mode: str = "checked") -> dict[str, str]:
    """What is in the environment then."""
    return {"LIGHTGATE_ROLLBACK": mode, "LIGHTGATE_RELEASE": BACK}


def back(house: House, crops: Project, mode: str = "checked", **more: Any) -> Program:
    crops.environment = goes_back(mode)
    return crops.gate(house, **{"release": OLD, **more})


def newer(house: House, crops: Project, *operations: str, release: str = NEWER) -> list[str]:
    """Release these migrations and take them out of the code again, which is the old one then."""
    crops.environment = {}
    names = [crops.migration(one) for one in operations]
    crops.gate(house, release=release).event("succeeded")
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
