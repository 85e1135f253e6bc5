"""The classes of random migrations agree with what old code can do after them."""

from pathlib import Path
from typing import Any

import pytest

from local.cloud.postgres import Database
from tests.compatibility_fuzz.report import ALARM, MISS, Results
from tests.compatibility_fuzz.run import Task, run
from tests.compatibility_fuzz.servers import ENGINES, LATEST, PYTHONS, python_of, running_engine
from tests.gate.projects import postgres

SEED = 20
FEW, MANY = 36, 3000


def compared(database: dict[str, Any], end: int, first: int = 0, **options: Any) -> Results:
    options = {"shrink": 0, **options}
    task = Task("postgresql", LATEST, python_of(LATEST), SEED, first, end, **options)
    return run(task, [database], lambda _: None)


def misses(results: Results) -> list[str]:
    return [
        f"{one['kind']}: case {one['case']}: {one['symptom']['text']}"
        for one in results.by_verdict(MISS)
    ]


def test_no_plan_that_is_called_safe_breaks_old_code(database: Database) -> None:
    results = compared(postgres(database), FEW)
    assert results.crashes == []
    assert results.compared > FEW / 2
    assert misses(results) == []
    assert results.by_verdict("agrees")


@pytest.mark.slow
@pytest.mark.parametrize("django", PYTHONS)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_plan_breaks_old_code_on_any_engine_and_django(
    tmp_path: Path, engine: str, django: str
) -> None:
    cases = MANY if (engine, django) == (ENGINES[0], LATEST) else MANY // 10
    with running_engine(engine, tmp_path / "server", 2) as databases:
        task = Task(engine, django, python_of(django), SEED, 0, cases, shrink=0)
        results = run(task, databases, lambda _: None)
    assert results.crashes == []
    assert results.compared > cases / 2
    assert misses(results) == []


def test_a_classifier_that_calls_everything_safe_is_caught(database: Database) -> None:
    # The case creates a model that refers to an old one. A change of the generator may move it.
    results = compared(postgres(database), 5, first=4, planted="compatible", shrink=80)
    (found,) = results.by_verdict(MISS)
    ((kind, text),) = results.small.items()
    assert kind == found["kind"] == "CreateModel(OneToOneField): delete 23503"
    old, plan = text.split("plan = [")
    assert plan.count("migrations.CreateModel(") == 1, text
    assert old.count("migrations.CreateModel(") <= 2, text
    assert f"seed {SEED}, case 4" in text
    assert "cannot after it (once new code has written):" in text


def test_a_classifier_that_restricts_without_naming_a_statement_is_caught(
    database: Database,
) -> None:
    results = compared(postgres(database), 5, first=4, planted="restricted")
    assert [one["kind"] for one in results.by_verdict(MISS)] == [
        "CreateModel(OneToOneField): delete 23503"
    ]


def test_a_file_field_that_reads_null_has_no_value_to_find(database: Database) -> None:
    # New code writes NULL to the text column, where old code has a file without a name.
    task = Task("postgresql", LATEST, python_of(LATEST), 32, 1670, 1671, shrink=0)
    results = run(task, [postgres(database)], lambda _: None)
    assert results.compared == 1
    assert misses(results) == []


@pytest.mark.slow
def test_a_classifier_that_calls_everything_breaking_gives_alarms(database: Database) -> None:
    results = compared(postgres(database), 6, planted="breaking")
    assert results.by_verdict(ALARM)
    assert results.by_verdict(MISS) == []


@pytest.mark.slow
def test_a_seed_gives_the_same_cases_again(database: Database) -> None:
    def facts(results: Results) -> list[Any]:
        keys = ("case", "kinds", "class", "verdict", "symptoms", "compared", "written")
        return [[one.get(key) for key in keys] for one in results.cases]

    first, second = (compared(postgres(database), 6) for _ in range(2))
    assert facts(first) == facts(second)


def test_a_worker_that_dies_is_no_success() -> None:
    nowhere = {"ENGINE": "django.db.backends.postgresql", "NAME": "none", "HOST": "/nonexistent"}
    results = compared(nowhere, 6)
    assert results.compared == 0
    assert results.crashes == ["a worker ended with exit code 1", "6 cases have no result"]
