"""What the log lines of the gates say, and that no line can do more than explain."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.codec import decode, encode
from lightgate.gate.gate_report import (
    DatabaseAfter,
    Failure,
    GateCause,
    GateReport,
    Migration,
    Phase,
)
from lightgate.gate.log_lines import reports
from lightgate.gate.masking import Mask
from lightgate.gate.report_reader import later, read_gate_report
from lightgate.spec.effect import Effect
from tests.support.builders import RELEASE, gate_line
from tests.support.strategies import JSON_VALUES

APPLYING = gate_line("applying", migration="crops.0003", at="2026-11-16T01:56:02.500Z")
APPLIED = gate_line("applied", migration="crops.0003", seconds=1.5)
SUCCEEDED = gate_line("succeeded", seconds=3.1)
FAILED = gate_line(
    "failed",
    at="2026-11-16T01:56:09.000Z",
    cause="exit",
    error="boom",
    exitCode=1,
    lastLines=["a", "b"],
)


def read(*lines: str, **others: list[str]) -> GateReport:
    return read_gate_report(RELEASE, {"migrate": list(lines), **others})


def failure_of(*lines: str, **others: list[str]) -> Failure:
    found = read(*lines, **others).failure
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], Phase.SILENT),
        (["Listening at: http://0.0.0.0:8000"], Phase.SILENT),
        ([gate_line("waiting")], Phase.WAITING),
        ([gate_line("waiting"), APPLYING], Phase.APPLYING),
        ([gate_line("database")], Phase.WAITING),
        ([gate_line("plan"), gate_line("locked")], Phase.WAITING),
        ([APPLYING, gate_line("plan")], Phase.APPLYING),
        ([APPLYING, gate_line("waiting")], Phase.APPLYING),
        ([gate_line("stopped")], Phase.WAITING),
        ([gate_line("waiting"), gate_line("stopped")], Phase.WAITING),
        ([APPLYING, gate_line("stopped")], Phase.APPLYING),
        ([APPLYING, APPLIED, SUCCEEDED], Phase.SUCCEEDED),
        ([SUCCEEDED, APPLYING], Phase.SUCCEEDED),
        ([APPLYING, FAILED], Phase.FAILED),
        ([FAILED, SUCCEEDED], Phase.FAILED),
        ([SUCCEEDED, FAILED], Phase.FAILED),
    ],
)
def test_a_gate_is_as_far_as_its_reports_say(lines: list[str], expected: Phase) -> None:
    assert expected == read(*lines).phase


def test_a_gate_is_ready_once_it_has_its_plan() -> None:
    waiting = gate_line("waiting", at="2026-11-16T01:56:00+00:00")
    first, second = (gate_line("plan", at=f"2026-11-16T01:56:0{s}+00:00") for s in (4, 9))

    assert read(waiting).ready_at == "2026-11-16T01:56:00+00:00"
    assert read(waiting, first, second).ready_at == "2026-11-16T01:56:04+00:00"
    assert read().ready_at is None


def test_the_reported_output_of_a_command_is_in_the_message() -> None:
    showed = gate_line("succeeded", lastLines=["crops", " [X] 0001_initial", "\x1b[31mred", 5])

    assert read(showed, SUCCEEDED).last_lines == ("crops", " [X] 0001_initial", " [31mred", "")
    assert read(SUCCEEDED).last_lines == ()


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("succeeded", Phase.SUCCEEDED),
        ("applying", Phase.APPLYING),
        ("waiting", Phase.WAITING),
        ("failed", Phase.FAILED),
        (None, Phase.SILENT),
    ],
)
def test_a_release_is_as_far_as_the_last_of_its_gates(second: str | None, expected: Phase) -> None:
    lines = [gate_line(second, container="fixtures")] if second else []

    assert expected == read(SUCCEEDED, fixtures=lines).phase


def test_a_release_without_gates_has_nothing_to_report() -> None:
    evidence = read_gate_report(RELEASE, {})

    assert (evidence.phase, evidence.changed) == (Phase.UNGATED, None)
    assert evidence.phase.is_final


def test_migrations_are_listed_once_in_the_order_of_their_end() -> None:
    second = gate_line("applied", migration="crops.0004")

    evidence = read(APPLYING, APPLIED, APPLIED, second, SUCCEEDED)

    assert list(evidence.migrations) == [
        Migration(name="crops.0003", seconds=1.5),
        Migration(name="crops.0004", seconds=None),
    ]
    assert evidence.began_at == "2026-11-16T01:56:02.500000+00:00"


def test_the_last_word_of_a_gate_has_the_order_of_its_migrations() -> None:
    """The log may lag, and the mailbox shows only the last one and the end."""
    last = gate_line("applied", migration="crops.0003", seconds=1.5)
    end = gate_line("succeeded", migrations=["crops.0002", "crops.0003"])

    names = [(one.name, one.seconds) for one in read(last, end).migrations]

    assert names == [("crops.0002", None), ("crops.0003", 1.5)]


def test_the_first_migration_counts_and_not_the_start_of_the_command() -> None:
    command = gate_line("applying", at="2026-11-16T01:55:00Z")

    assert read(command).began_at == "2026-11-16T01:55:00+00:00"
    assert read(command, APPLYING).began_at == "2026-11-16T01:56:02.500000+00:00"


def test_a_failure_is_reported_in_the_gates_own_words() -> None:
    assert failure_of(APPLYING, FAILED) == Failure(
        container="migrate",
        cause="exit",
        error="boom",
        migration=None,
        exit_code=1,
        last_lines=["a", "b"],
    )


@pytest.mark.parametrize(
    ("plans", "expected"),
    [
        *(([], False), ([True], True), ([False], False), ([True, True], True)),
        *(([True, False], False), (["true"], False)),
    ],
)
def test_the_migrations_are_atomic_only_if_every_plan_says_so(
    plans: list[object], expected: bool
) -> None:
    assert read(*(gate_line("plan", atomic=atomic) for atomic in plans)).atomic is expected


@pytest.mark.parametrize(
    ("kind", "key"), [("succeeded", "migrations"), ("failed", "migrationsApplied")]
)
def test_the_last_report_of_a_gate_includes_the_earlier_events(kind: str, key: str) -> None:
    last = gate_line(kind, beganAt="2026-11-16T01:55:00.000Z", **{key: ["a.0001", 5, "a.0002"]})

    found = read(gate_line("applied", migration="a.0002", seconds=2.5), last)

    assert found.began_at == "2026-11-16T01:55:00+00:00"
    seconds = {one.name: one.seconds for one in found.migrations}
    assert seconds == {"a.0001": None, "a.0002": 2.5}


BEGUN = gate_line("applying", migration="a.0002")
BEGUN_AFTER = gate_line("applying", at="2026-11-16T01:57:00.000Z")
NOTHING_PENDING = gate_line("plan", count=0)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        ([gate_line("waiting")], None),
        ([gate_line("plan", count=2)], None),
        ([gate_line("plan", count=2), gate_line("stopped")], False),
        ([BEGUN, gate_line("stopped")], True),
        ([gate_line("plan", count=2), gate_line("succeeded"), gate_line("stopped")], True),
        ([BEGUN], True),
        ([gate_line("applied", migration="a.0001")], True),
        ([NOTHING_PENDING, gate_line("succeeded")], False),
        ([gate_line("plan", count=2), gate_line("succeeded")], True),
        ([gate_line("plan", count=2), NOTHING_PENDING, gate_line("succeeded")], True),
        ([gate_line("plan", count=None), gate_line("succeeded")], True),
        ([gate_line("succeeded")], True),
        ([NOTHING_PENDING, gate_line("succeeded", beganAt="2026-11-16T01:56:00Z")], True),
        ([gate_line("failed", cause="preflight")], False),
        ([gate_line("failed", cause="refused", database="unchanged")], False),
        ([gate_line("failed", cause="attempt", database="part-way")], True),
        ([gate_line("failed", cause="attempt", database=["unchanged"])], True),
        ([gate_line("failed", cause="refused", database="as good as new")], True),
        ([gate_line("failed", cause="melted")], None),
        ([gate_line("failed", cause="melted", database="unchanged")], False),
        ([gate_line("failed", cause=["refused"])], None),
        ([BEGUN, gate_line("failed")], True),
        ([BEGUN, gate_line("failed", cause="exit", database="unchanged")], False),
        ([BEGUN, gate_line("failed", cause="melted", database="unchanged")], True),
        ([gate_line("failed", cause="attempt", database="unchanged"), BEGUN_AFTER], True),
        ([BEGUN, gate_line("failed", database="part-way")], True),
        ([BEGUN, gate_line("failed", database="not known")], True),
        ([BEGUN, gate_line("failed", database=["unchanged"])], True),
        ([BEGUN, *(gate_line("failed", database=d) for d in ("unchanged", "part-way"))], True),
        ([gate_line("failed", beganAt="2026-11-16T01:56:00Z")], True),
    ],
)
def test_a_gate_has_changed_its_database_unless_it_shows_that_it_has_not(
    lines: list[str], expected: bool | None
) -> None:
    assert read(*lines).changed is expected


@pytest.mark.parametrize(
    ("second", "expected"),
    [([NOTHING_PENDING, gate_line("succeeded")], False), ([], None), ([BEGUN], True)],
)
def test_every_gate_has_to_show_that_it_changed_nothing(
    second: list[str], expected: bool | None
) -> None:
    refused = gate_line("failed", container="other", cause="refused", database="unchanged")

    assert read(*second, other=[refused]).changed is expected


BEGAN = {"beganAt": "2026-11-16T01:56:00Z"}
FORGED = gate_line("failed", cause="refused", error="policy", database="unchanged")
UNCHANGED = gate_line("failed", cause="exit", error="boom", database="unchanged", **BEGAN)
ATTEMPTED = gate_line("failed", cause="attempt", error="boom", database="unchanged")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([FAILED, gate_line("failed", cause="exit", error="the same again")], {"error": "boom"}),
        ([gate_line("failed", database="part-way")], {"database": "part-way"}),
        # What has damaged the database outranks what has not.
        *(
            (
                [BEGUN, FORGED, UNCHANGED.replace('"unchanged"', json.dumps(database))],
                {"cause": "exit", "database": database},
            )
            for database in ("part-way", "not known", None)
        ),
        # A gate that is refused does not undo what another one has begun.
        ([BEGUN, FORGED], {"database": "not known"}),
        # An attempt that has ended does not change a refusal.
        ([BEGUN, UNCHANGED, FORGED], {"database": "unchanged"}),
        ([BEGUN, ATTEMPTED, FORGED], {"database": "unchanged"}),
        ([BEGUN, gate_line("succeeded", **BEGAN), FORGED], {"database": "unchanged"}),
        # An end from before the last beginning is not the end of it.
        (
            [BEGUN, UNCHANGED, gate_line("applying", at="2026-11-16T01:58:00Z")],
            {"database": "not known"},
        ),
    ],
)
def test_the_failure_that_explains_most_is_reported(
    lines: list[str], expected: dict[str, str | None]
) -> None:
    failure = failure_of(*lines)

    assert {name: getattr(failure, name) for name in expected} == expected


def test_a_gate_that_gave_up_because_of_another_one_explains_nothing() -> None:
    follower = gate_line("failed", container="a", cause="dependency", error="migrate failed")

    assert failure_of(FAILED, a=[follower]).error == "boom"


@pytest.mark.parametrize(
    "line",
    [
        SUCCEEDED.replace(RELEASE, "20261116t015434z-7f5b2640-ffff"),
        SUCCEEDED.replace('"migrate"', '"web"'),
        SUCCEEDED.replace('"lightgate": 1', '"lightgate": 2'),
        SUCCEEDED[:-1],
        json.dumps([json.loads(SUCCEEDED)]),
        gate_line(["succeeded"]),  # type: ignore[arg-type]
        "[" * 100_000,
        # It does not begin as a gate writes it.
        *(f"{before}{SUCCEEDED}" for before in ("prefix ", " ", "|")),
        SUCCEEDED.replace('{"lightgate"', '{ "lightgate"'),
        SUCCEEDED.replace('{"lightgate"', '{"x": 1, "lightgate"'),
        SUCCEEDED.replace("lightgate", "\\u006cightgate", 1),
    ],
)
def test_a_line_of_anything_else_is_not_evidence(line: str) -> None:
    assert line != SUCCEEDED
    assert read(line).phase is Phase.SILENT


def test_terminal_control_characters_are_removed() -> None:
    failure = failure_of(gate_line("failed", error="a\x1b[2Jb\nc\u202e", lastLines=["\x07", 5]))

    assert (failure.error, list(failure.last_lines)) == ("a [2Jb c ", [" ", ""])


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity", "1" + "0" * 400, "true", '"1"'])
def test_a_number_that_cannot_be_passed_on_is_left_out(number: str) -> None:
    applied = APPLIED.replace("1.5", number)
    failed = FAILED.replace('"exitCode": 1', f'"exitCode": {number}')

    assert [m.seconds for m in read(applied, failed).migrations] == [None]
    assert failure_of(applied, failed).exit_code is None


def test_a_failure_from_an_earlier_lightgate_can_be_read() -> None:
    handed_on = encode(read(APPLYING, FAILED))
    del handed_on["failure"]["holders"]

    assert encode(decode(GateReport, handed_on)) == encode(read(APPLYING, FAILED))


def test_the_worst_evidence_fits_through_the_state_machine() -> None:
    wide = "🌾" * 1000
    lines = [gate_line("applied", migration=f"{n}{wide}") for n in range(1000)]
    lines.append(
        gate_line("failed", cause=wide, error=wide, migration=wide, lastLines=[wide] * 100)
    )

    evidence = read(*lines)

    assert len(json.dumps(encode(evidence), ensure_ascii=False).encode()) < 160 * 1024


def events() -> st.SearchStrategy[str]:
    """Lines that are evidence of this release, with anything for each of their members."""
    kinds = st.sampled_from(["waiting", "applying", "applied", "succeeded", "failed", "plan"])
    keys = st.sampled_from(
        ["at", "migration", "seconds", "cause", "error", "exitCode", "lastLines", "container"]
    )
    members = st.dictionaries(keys, JSON_VALUES | st.just("migrate"), max_size=5)
    return st.builds(lambda kind, more: gate_line(kind, **more), kinds, members)


@given(st.lists(st.text() | JSON_VALUES.map(json.dumps) | events(), max_size=6))
def test_no_lines_whatever_raise_or_become_what_cannot_be_sent(lines: list[str]) -> None:
    evidence = read(*lines)

    document = json.dumps(encode(evidence), ensure_ascii=False, allow_nan=False)
    assert document.encode()
    assert encode(decode(GateReport, json.loads(document))) == encode(evidence)


def evidences() -> st.SearchStrategy[GateReport]:
    maybe_text = st.none() | st.text(max_size=10)
    failures = st.builds(
        Failure,
        container=st.text(max_size=5),
        cause=st.sampled_from(GateCause),
        error=st.text(max_size=5),
        migration=maybe_text,
        exit_code=st.none() | st.integers(),
        database=st.none() | st.sampled_from(DatabaseAfter),
        last_lines=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    )
    migrations = st.builds(
        Migration,
        name=st.text(max_size=5),
        seconds=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    )
    return st.builds(
        GateReport,
        phase=st.sampled_from(Phase),
        began_at=maybe_text,
        migrations=st.lists(migrations, max_size=3).map(tuple),
        failure=st.none() | failures,
        atomic=st.booleans(),
        changed=st.sampled_from([None, False, True]),
        effect=st.none() | st.sampled_from(Effect),
    )


@given(evidences())
def test_evidence_survives_its_way_through_the_state_machine(evidence: GateReport) -> None:
    document: Any = json.loads(json.dumps(encode(evidence)))

    assert evidence == decode(GateReport, document)


def test_a_gate_is_read_only_from_its_own_log() -> None:
    forged = [gate_line("failed", cause="refused", database="unchanged"), gate_line("succeeded")]

    evidence = read(web=forged)

    assert (evidence.phase, evidence.failure) == (Phase.SILENT, None)


PART_WAY = gate_line("failed", database="part-way", effect="data", **BEGAN)
PART_WAY_ATTEMPT = gate_line("failed", cause="attempt", database="part-way")


@pytest.mark.parametrize(
    ("lines", "other", "expected"),
    [
        ([BEGUN, PART_WAY], [], "data"),
        ([BEGUN, PART_WAY, PART_WAY_ATTEMPT], [], "data"),
        ([BEGUN, PART_WAY_ATTEMPT], [], None),
        (
            [BEGUN, gate_line("failed", database="part-way", effect=["data"], **BEGAN)],
            [],
            "unknown",
        ),
        ([BEGUN, gate_line("failed", effect="harmless", **BEGAN)], [], "unknown"),
        ([BEGUN, gate_line("failed", database="part-way", **BEGAN)], [], None),
        ([BEGUN, PART_WAY, PART_WAY.replace('"data"', '"breaking"')], [], None),
        ([BEGUN, gate_line("failed", effect="data", at="2026-11-16T01:00:00Z", **BEGAN)], [], None),
        # Two databases have changed.
        ([BEGUN, PART_WAY], [gate_line("succeeded", container="other", **BEGAN)], None),
    ],
)
def test_the_effect_of_applied_migrations_comes_from_exactly_one_report(
    lines: list[str], other: list[str], expected: str | None
) -> None:
    others = {"other": other} if other else {}
    assert read(*lines, **others).effect == expected


ATOMIC = gate_line("plan", atomic=True)


@pytest.mark.parametrize(
    ("lines", "other", "expected"),
    [
        ([ATOMIC, BEGUN, PART_WAY], [], True),
        ([BEGUN, PART_WAY], [], False),
        ([gate_line("plan", atomic=False), BEGUN, PART_WAY], [], False),
        ([ATOMIC, BEGUN, PART_WAY_ATTEMPT], [], False),
        # An applied migration is not listed.
        (
            [
                ATOMIC,
                BEGUN,
                gate_line(
                    "failed",
                    database="part-way",
                    effect="data",
                    migrationsApplied=["crops.0002_a"],
                    omitted={"migrationsApplied": 1},
                    **BEGAN,
                ),
            ],
            [],
            False,
        ),
        ([ATOMIC, BEGUN, gate_line("failed", effect="data", **BEGAN)], [], False),
        ([ATOMIC, BEGUN, PART_WAY], [ATOMIC, gate_line("succeeded", **BEGAN)], False),
        ([ATOMIC, BEGUN, PART_WAY], [ATOMIC, BEGUN], False),
        ([ATOMIC, PART_WAY, gate_line("applying", at="2026-11-17T01:00:00Z")], [], False),
    ],
)
def test_the_rest_of_a_plan_is_undone_only_if_one_gate_proves_it(
    lines: list[str], other: list[str], expected: bool
) -> None:
    others = {"other": [line.replace('"migrate"', '"other"') for line in other]} if other else {}
    assert read(*lines, **others).has_undone_the_rest is expected


def test_masked_log_lines_hold_no_secret_and_mean_the_same() -> None:
    secret = "hunter2-of-the-tests"
    failed = gate_line(
        "failed", cause="exit", error=f"no {secret}", lastLines=[secret, "b"], exitCode=3
    )
    spelled = failed.replace("hunter2", "\\u0068unter2")

    lines = reports([secret, "noise", spelled, APPLYING, f"|{failed}", "[" * 9999], Mask([secret]))

    assert secret not in str(lines)
    assert lines[1:] == [APPLYING]
    failure = failure_of(*lines)
    assert (failure.error, failure.last_lines, failure.exit_code) == ("no ***", ["***", "b"], 3)


def test_a_secret_that_is_a_word_of_the_gate_changes_no_report() -> None:
    secrets = Mask([RELEASE, "migrate", "succeeded", "lightgate", "release", "container"])

    assert read(*reports([APPLYING, SUCCEEDED], secrets)).phase is Phase.SUCCEEDED


@given(st.lists(JSON_VALUES))
def test_no_junk_breaks_the_reader_of_reports(values: list[Any]) -> None:
    lines = [gate_line("plan", migrations=value, hash=value) for value in values]

    assert len(reports(lines, Mask(["hunter2"]))) == len(values)


def test_migrations_that_were_only_recorded_do_not_count_as_applied() -> None:
    first = read(gate_line("succeeded", migrations=["crops.0003"], faked=["crops.0001", 7]))

    assert [one.name for one in first.migrations] == ["crops.0003"]
    assert first.faked == ("crops.0001",)
    assert later(read(gate_line("succeeded")), first).faked == ("crops.0001",)
