"""Cases from a seed: worlds of old models, and some plans for each."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.migrations import CreateModel
from django.db.migrations.state import ProjectState

from tests.compatibility_fuzz.by_hand import plan_by_hand
from tests.compatibility_fuzz.changes import plan_by_autodetector
from tests.compatibility_fuzz.django_setup import Abilities
from tests.compatibility_fuzz.fields import GONE, changed_options
from tests.compatibility_fuzz.old_models import Step, old_models
from tests.compatibility_fuzz.statements import Rows, first_rows, new_writes, old_statements
from tests.compatibility_fuzz.world import Case, SetupRefusedError, World

PLANS = 6
"""So many plans share a world."""
STATEMENTS = 40
BY_HAND = 0.35


@dataclass(frozen=True)
class NewWorld:
    world: World
    rows: Rows
    refused: tuple[str, ...]
    """Why operations of the setup were left out."""


def new_world(seed: int, number: int, ab: Abilities) -> tuple[Case, Rows]:
    """The old models, rows and statements; nothing is in the database yet."""
    rng = random.Random(f"{seed} world {number}")
    setup = old_models(rng, ab)
    return case_of(seed, number, setup)


def case_of(seed: int, number: int, setup: list[Step]) -> tuple[Case, Rows]:
    rng = random.Random(f"{seed} rows {number}")
    state = ProjectState()
    for app, operation in setup:
        operation.state_forwards(app, state)
    models = in_order(setup, state.apps)
    statements, rows = first_rows(models, rng)
    old = old_statements(models, rng, rows, STATEMENTS)
    return Case(tuple(setup), tuple(statements), tuple(old)), rows


def in_order(setup: list[Step], apps: Any) -> list[Any]:
    """The models in the order in which they were created."""
    names = {}
    for app, operation in setup:
        if type(operation).__name__ == "CreateModel":
            names[app, operation.name.lower()] = apps.get_model(app, operation.name)
    return list(names.values())


def without(case: Case, number: int) -> list[Step]:
    """The setup without an operation, and without those that cannot be without it."""
    setup = [one for n, one in enumerate(case.setup) if n != number]
    while setup:
        state = ProjectState()
        try:
            for app, operation in setup:
                operation.state_forwards(app, state)
            _ = state.apps
        except Exception:  # noqa: BLE001 - it refers to what was left out
            setup.pop()
        else:
            break
    return setup


def plan_of(seed: int, case: int, ab: Abilities, old: ProjectState) -> list[Step]:
    rng = random.Random(f"{seed} plan {case}")
    maker = plan_by_hand if rng.random() < BY_HAND else plan_by_autodetector
    for _ in range(8):
        if found := maker(rng, ab, old):
            return found
    return []


def writes_for(seed: int, case: int, rows: Rows) -> Any:
    def writes(apps: Any) -> Any:
        rng = random.Random(f"{seed} writes {case}")
        models = sorted(apps.get_models(), key=lambda one: str(one._meta.label_lower))
        # Models that refer to others come after them, as far as that is possible.
        models.sort(key=lambda one: depth(one, ()))
        return new_writes(models, rng, rows)

    return writes


def depth(model: Any, above: tuple[Any, ...]) -> int:
    if model in above or len(above) > 5:
        return 0
    ends = [f.remote_field.model for f in model._meta.concrete_fields if f.remote_field]
    return 1 + max((depth(one, (*above, model)) for one in ends if one is not model), default=0)


def standing_world(seed: int, number: int, ab: Abilities) -> Iterator[NewWorld]:
    """The world in the database, without the operations that the server does not take."""
    case, rows = new_world(seed, number, ab)
    refused: list[str] = []
    is_simple = False
    while True:
        empty: list[tuple[str, str]] = []
        try:
            world = World(case)
            with world.standing():
                empty = [] if is_simple else world.without_rows
                if not empty:
                    yield NewWorld(world, rows, tuple(refused))
        except SetupRefusedError as error:
            refused.append(str(error))
            setup = without(case, error.number)
        else:
            if not empty:
                return
            is_simple = True
            setup = simpler(case.setup, empty)
        if not setup:
            return
        case, rows = case_of(seed, number, setup)


def simpler(setup: Sequence[Step], models: Sequence[tuple[str, str]]) -> list[Step]:
    """The setup without what keeps these models from taking any row."""
    found = []
    for app, operation in setup:
        if isinstance(operation, CreateModel) and (app, operation.name.lower()) in models:
            options = {
                key: value
                for key, value in operation.options.items()
                if key not in ("constraints", "unique_together", "indexes")
            }
            fields = [
                (name, changed_options(one, db_default=GONE) if "db_default" in kwargs else one)
                for name, one in operation.fields
                if not getattr(one, "generated", False)
                for kwargs in [one.deconstruct()[3]]
            ]
            found.append((app, CreateModel(operation.name, fields, options, operation.bases)))
        else:
            found.append((app, operation))
    return found
