"""How a release ended whose deployment was followed, and what people are told to do."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from lightgate.deployment.status import Service, Status
from lightgate.gate.gate_report import GateReport, Migration, Phase
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.migrations.permit import VoidCause, pending
from lightgate.migrations.reversal import Doubt, ReversalBar
from lightgate.names import COMMAND_CONTAINER
from lightgate.outcome.conclude import conclude
from lightgate.outcome.outcome import Conclusion, Outcome
from lightgate.release.release import ReleaseKind
from lightgate.spec.effect import effect_of
from lightgate.state import ReversalProgress, RollbackResult, RollbackStatus
from lightgate.verification.health import WatchProgress, WatchStatus
from lightgate.verification.verified import Verified
from tests.support.builders import RELEASE, STARTED, deployment, ending, evidence, failure, service

LIVE = service(current=deployment(8))
PREVIOUS = service(current=deployment(7), deployments=[deployment(8, "FAILED"), deployment(7)])
NOTHING = service(deployments=[deployment(8, "FAILED")])
ANOTHER = service(current=deployment(9))

TIDIED = Migration(name="harvests.0005_tidy_crops", seconds=0.1)
WATCHED = WatchProgress(began_at=STARTED, total=3, bad=1, problem="GET / returned 500")
SHOWN = "2 of 3 health checks passed. Last failure: GET / returned 500."


def verified(version: int | None, status: str = "GOOD", **changes: Any) -> Verified:
    return Verified(status=WatchStatus(status), version=version, **{"watch": WATCHED, **changes})


def rollback_result(status: str, **changes: Any) -> RollbackResult:
    """From version 8 to version 7, as version 9."""
    values: dict[str, Any] = {"target": 7, "version": 9, "watch": WATCHED}
    return RollbackResult(status=RollbackStatus(status), **{**values, **changes})


def conclusion(
    status: Status,
    shown: Service,
    found: GateReport | None = None,
    previous_version: int | None = 7,
    **changes: Any,
) -> Conclusion:
    """What serves was verified as good, and nothing was permitted, unless it is said otherwise."""
    current = shown.current.version if shown.current else None
    values: dict[str, Any] = {"verified": verified(current), "may_have_begun": False, **changes}
    return conclude(
        ending(
            status=status,
            previous_version=previous_version,
            service=shown,
            evidence=found or evidence(Phase.SILENT),
            **values,
        )
    )


def test_a_version_that_serves_and_answers_is_a_success_without_words() -> None:
    assert conclusion(Status.ACTIVE, LIVE) == Conclusion(
        outcome=Outcome.SUCCEEDED, reasons=[], next_steps=[]
    )


def failed_gate(**changes: Any) -> GateReport:
    return evidence(Phase.FAILED, failed=failure(**changes))


NO_ADDRESS = verified(8, "SKIPPED", watch=None, reason="It has no address.")
NO_SPEC = verified(7, "SKIPPED", watch=None, reason="Its spec is not on record.")
BLOCKED = failed_gate(cause="refused", database="unchanged")
UNKNOWN_HEALTH = "Version 8 is live, but its health is unknown."
STILL_LIVE = "Version 7 is still live, but"
GONE = "Version 7, the previous version, is no longer live."
CUT_OFF = "ended during a migration"


@pytest.mark.parametrize(
    ("status", "shown", "changes", "words"),
    [
        (
            "ACTIVE",
            ANOTHER,
            {"verified": verified(8)},
            "active, but it is no longer live. Version 9",
        ),
        ("ACTIVE", LIVE, {"verified": None}, f"{UNKNOWN_HEALTH} It was not checked."),
        ("ACTIVE", LIVE, {"verified": NO_ADDRESS}, f"{UNKNOWN_HEALTH} It has no address."),
        ("ACTIVE", LIVE, {"verified": verified(8, "REPLACED")}, f"{UNKNOWN_HEALTH} {SHOWN}"),
        ("ACTIVE", LIVE, {"verified": verified(8, "WATCHING")}, f"{UNKNOWN_HEALTH} {SHOWN}"),
        ("ACTIVE", LIVE, {"verified": verified(7)}, f"{UNKNOWN_HEALTH} {SHOWN}"),
        ("OVERDUE", LIVE, {}, "Version 8 is live, but its gate did not report"),
        ("OVERDUE", PREVIOUS, {}, "8 neither became active nor failed within its time limit."),
        ("FAILED", LIVE, {"found": failed_gate()}, "Version 8 is live although its gate failed"),
        ("FAILED", NOTHING, {"previous_version": None}, "live before, so no version is live now."),
        ("FAILED", NOTHING, {}, GONE),
        ("FAILED", ANOTHER, {}, GONE),
        ("FAILED", NOTHING, {"found": BLOCKED}, GONE),
        ("FAILED", ANOTHER, {"found": BLOCKED}, GONE),
        ("FAILED", PREVIOUS, {"found": evidence(Phase.APPLYING)}, CUT_OFF),
        ("FAILED", PREVIOUS, {"found": failed_gate(cause="timeout")}, CUT_OFF),
        ("FAILED", PREVIOUS, {"found": failed_gate(cause="signal")}, CUT_OFF),
        *(
            (
                "FAILED",
                PREVIOUS,
                {"found": failed_gate(), "verified": found},
                f"{STILL_LIVE} {words}",
            )
            for found, words in [
                (None, "its health is unknown. It was not checked."),
                (verified(7, "FAILED"), f"it is unhealthy: {SHOWN}"),
                (NO_SPEC, "its health is unknown. Its spec is not on record."),
                (verified(6), "its health is unknown."),
            ]
        ),
    ],
)
def test_an_end_without_evidence_is_neither_a_success_nor_a_rollback(
    status: str, shown: Service, changes: Any, words: str
) -> None:
    ended = conclusion(Status(status), shown, **changes)

    assert ended.outcome is Outcome.FAILED
    assert words in " ".join(ended.reasons)
    assert ("showmigrations" in " ".join(ended.next_steps)) is (words == CUT_OFF)


APP_FAILED = "the app exited or did not become healthy."
WRONG = f"Version 8 became active and was unhealthy: {SHOWN}"


def test_a_version_that_failed_its_watch_is_rolled_back_if_the_one_before_is_healthy() -> None:
    back = rollback_result("GOOD", notes=["The value of SECRET_KEY has changed since."])

    ended = conclusion(Status.ACTIVE, ANOTHER, verified=verified(8, "FAILED"), rollback_result=back)

    assert (ended.outcome, list(ended.reasons)) == (
        Outcome.ROLLED_BACK,
        [WRONG, "Version 7 is live again as version 9.", f"It is healthy: {SHOWN}", *back.notes],
    )


@pytest.mark.parametrize("status", ["KEPT", "IMPOSSIBLE"])
def test_a_version_that_is_kept_is_a_failure_with_both_ways_out(status: str) -> None:
    back = rollback_result(
        status, version=None, reasons=["It may not work."], next_steps=["A.", "B."]
    )

    ended = conclusion(Status.ACTIVE, LIVE, verified=verified(8, "FAILED"), rollback_result=back)

    assert ended == Conclusion(
        outcome=Outcome.FAILED, reasons=[WRONG, "It may not work."], next_steps=["A.", "B."]
    )


@pytest.mark.parametrize(
    ("status", "changes", "shown", "words"),
    [
        (None, {}, LIVE, "Lightgate did not roll back."),
        ("FAILED", {}, ANOTHER, f"to version 7 with deployment 9 did not help. {SHOWN}"),
        ("FAILED", {"watch": None, "reasons": ["It is shut."]}, LIVE, "failed. It is shut."),
        ("FAILED", {"version": None, "reasons": ["Too large."]}, LIVE, "possible. Too large."),
        ("BUSY", {"version": None}, LIVE, "the container service accepted no deployment"),
        ("LOST", {"version": None}, LIVE, "no longer holds the deployment lock"),
        ("REPLACED", {"version": None, "reasons": ["It went."]}, LIVE, "not done. It went."),
        ("REPLACED", {}, ANOTHER, "replaced by another deployment"),
        ("GOOD", {}, LIVE, "but that version is no longer live"),
        ("ACTIVATING", {}, LIVE, "had not ended at the last check"),
    ],
)
def test_an_unverified_rollback_requires_manual_action_and_names_the_live_version(
    status: str | None, changes: dict[str, Any], shown: Service, words: str
) -> None:
    back = rollback_result(status, **changes) if status else None

    ended = conclusion(Status.ACTIVE, shown, verified=verified(8, "FAILED"), rollback_result=back)

    told = " ".join(ended.reasons)
    assert ended.outcome is Outcome.FAILED
    assert words in told
    assert "is live now." in told
    assert ended.next_steps


APPLIED = evidence(Phase.SUCCEEDED, [TIDIED], changed=True)
ONE_WAY = Judgement(verdict=Verdict.ONE_WAY, reasons=("a.0002: RemoveField b.c: it is used.",))
UNKNOWN = Judgement(verdict=Verdict.UNKNOWN, reasons=("a.0003: RunPython: it is code.",))
REFUSED = failure(cause="refused", migration=None, database="unchanged")


REFUSALS = [
    {"found": evidence(Phase.FAILED, failed=REFUSED, changed=False)},
    {"refusal": "The policy forbids it."},
]


@pytest.mark.parametrize("how", REFUSALS)
def test_a_refusal_requires_manual_action_if_the_live_version_does_not_answer(how: Any) -> None:
    ended = conclusion(Status.FAILED, PREVIOUS, verified=verified(7, "FAILED"), **how)

    assert ended.outcome is Outcome.FAILED
    assert ended.reasons[-1] == f"Version 7 is still live, but it is unhealthy: {SHOWN}"
    assert ended.next_steps[0] == "Check now why version 7 is unhealthy."
    assert "Nothing was applied" not in ended.next_steps[1], "the cause says it"


@pytest.mark.parametrize("how", REFUSALS)
@pytest.mark.parametrize(
    "found", [None, verified(7, "SKIPPED", watch=None, reason="It has no address.")]
)
def test_a_refusal_stays_if_the_live_version_could_not_be_checked(
    found: Verified | None, how: Any
) -> None:
    ended = conclusion(Status.FAILED, PREVIOUS, verified=found, **how)

    assert ended.outcome is Outcome.REFUSED
    assert ended.reasons[-1].startswith("Version 7 is still live, but its health is unknown.")


@pytest.mark.parametrize("how", REFUSALS)
def test_a_refusal_of_the_first_release_stays_one(how: Any) -> None:
    ended = conclusion(Status.FAILED, NOTHING, previous_version=None, **how)

    assert ended.outcome is Outcome.REFUSED
    assert ended.reasons[-1] == "No version is live now."


COMMAND_GATE = {"container": COMMAND_CONTAINER, "migration": None, "database": "unchanged"}


@pytest.mark.parametrize("cause", ["permit", "mailbox", None])
def test_a_command_that_got_no_permit_is_refused(cause: str | None) -> None:
    found = evidence(Phase.WAITING)
    if cause is not None:
        failed = failure(cause=cause, **COMMAND_GATE)
        found = evidence(Phase.FAILED, failed=failed, changed=False)

    ended = conclusion(Status.FAILED, LIVE, found, kind=ReleaseKind.COMMAND)

    assert ended.outcome is Outcome.REFUSED
    assert f"Version 8 runs the same app as before and is healthy: {SHOWN}" in ended.reasons
    assert "Nothing was applied" not in ended.next_steps[0], "the cause says it"


def test_a_command_that_may_have_been_run_is_never_refused() -> None:
    silent, waits = evidence(Phase.SILENT), evidence(Phase.WAITING)
    stopped = evidence(Phase.FAILED, failed=failure(cause="signal", **COMMAND_GATE), changed=True)

    for found in (silent, waits, stopped):
        ended = conclusion(
            Status.FAILED, LIVE, found, kind=ReleaseKind.COMMAND, may_have_begun=True
        )
        assert ended.outcome is Outcome.FAILED


@pytest.mark.parametrize("how", [{"changed": True}, {"changed": None, "may_have_begun": True}])
def test_it_is_no_refusal_if_another_gate_has_applied_something(how: Any) -> None:
    found = evidence(Phase.FAILED, failed=REFUSED, changed=how["changed"])
    begun = how.get("may_have_begun", False)

    ended = conclusion(Status.FAILED, PREVIOUS, found, may_have_begun=begun, judgement=ONE_WAY)

    assert ended.outcome is Outcome.FAILED
    assert "Nothing was applied" not in " ".join(ended.next_steps)


@pytest.mark.parametrize("of", ["judgement", "earlier"])
def test_a_version_that_answers_is_not_rolled_back_to_if_it_may_not_work_with_the_database(
    of: str,
) -> None:
    how: Any = {of: ONE_WAY}
    ended = conclusion(Status.FAILED, PREVIOUS, APPLIED, **how)

    assert ended.outcome is Outcome.FAILED
    assert list(ended.reasons[1:]) == [
        f"Version 7 is healthy: {SHOWN}",
        "Version 7 may fail with the current database, even if its health checks pass:",
        *ONE_WAY.reasons,
    ]
    assert list(ended.next_steps) == [
        "Check now whether version 7 works, above all whether it can write.",
        "Then correct the cause and push again, or reverse the applied migrations.",
    ]


@pytest.mark.parametrize("of", ["judgement", "earlier"])
def test_a_rollback_says_if_its_safety_is_unknown(of: str) -> None:
    how: Any = {of: UNKNOWN}
    ended = conclusion(Status.FAILED, PREVIOUS, APPLIED, **how)

    assert ended.outcome is Outcome.ROLLED_BACK
    assert list(ended.reasons[1:]) == [
        f"Version 7 is healthy: {SHOWN}",
        "Version 7 may not work correctly with the current database:",
        *UNKNOWN.reasons,
    ]


@pytest.mark.parametrize(
    ("effect", "outcome", "said"),
    [
        ("compatible", Outcome.ROLLED_BACK, ""),
        ("restricted", Outcome.ROLLED_BACK, ""),
        ("data", Outcome.ROLLED_BACK, "This release has changed rows, with a.0001."),
        ("breaking", Outcome.FAILED, "may fail with"),
        ("unknown", Outcome.FAILED, "may fail with"),
        ("nonsense", Outcome.FAILED, "may fail with"),
        (None, Outcome.FAILED, "may fail with"),
    ],
)
def test_only_the_applied_part_of_a_failed_plan_counts(
    effect: str | None, outcome: Outcome, said: str
) -> None:
    left = failure(database="part-way")
    found = replace(
        evidence(Phase.FAILED, [Migration(name="a.0001", seconds=1)], left, changed=True),
        atomic=True,
        effect=None if effect is None else effect_of(effect),
    )

    ended = conclusion(Status.FAILED, PREVIOUS, found, judgement=ONE_WAY)

    assert ended.outcome is outcome
    assert said in " ".join(ended.reasons)


def test_possible_writes_by_the_previous_version_are_reported() -> None:
    wrote = verified(7, watch=replace(WATCHED, written=True))

    ended = conclusion(Status.FAILED, PREVIOUS, APPLIED, verified=wrote, judgement=ONE_WAY)

    assert ended.outcome is Outcome.FAILED
    assert f"Version 7 is healthy, also for a write: {SHOWN}" in ended.reasons


def test_an_unverified_version_is_reported_with_its_rollback_safety() -> None:
    ended = conclusion(Status.FAILED, PREVIOUS, APPLIED, verified=None, judgement=ONE_WAY)

    assert ended.outcome is Outcome.FAILED
    assert set(ONE_WAY.reasons) <= set(ended.reasons)


def test_unapplied_migrations_do_not_block_a_rollback() -> None:
    left = failure(database="unchanged")
    found = evidence(Phase.FAILED, failed=left, changed=False)

    ended = conclusion(Status.FAILED, PREVIOUS, found, may_have_begun=True, judgement=ONE_WAY)

    assert ended.outcome is Outcome.ROLLED_BACK


@pytest.mark.parametrize("changed", [None, False, True])
@pytest.mark.parametrize("may_have_begun", [False, True])
@pytest.mark.parametrize("own", Verdict)
@pytest.mark.parametrize("earlier", Verdict)
@pytest.mark.parametrize("goes_back", [False, True])
def test_a_rollback_is_reported_only_if_the_old_version_works_with_the_database(
    *, changed: bool | None, may_have_begun: bool, own: Verdict, earlier: Verdict, goes_back: bool
) -> None:
    """Lightsail has gone back, or Lightgate has, from a version whose app did not do well."""
    how: Any = {
        "found": evidence(Phase.SUCCEEDED, changed=changed),
        "may_have_begun": may_have_begun,
        "judgement": Judgement(verdict=own),
        "earlier": Judgement(verdict=earlier),
    }

    if goes_back:
        bad, back = verified(8, "FAILED"), rollback_result("GOOD")
        ended = conclusion(Status.ACTIVE, ANOTHER, verified=bad, rollback_result=back, **how)
    else:
        ended = conclusion(Status.FAILED, PREVIOUS, **how)

    is_applied = changed or (changed is None and may_have_begun)
    breaks = earlier is Verdict.ONE_WAY or (own is Verdict.ONE_WAY and is_applied)
    assert ended.outcome is (Outcome.FAILED if breaks else Outcome.ROLLED_BACK)


def test_a_refused_gate_counts_as_reported() -> None:
    ended = conclusion(
        Status.FAILED,
        PREVIOUS,
        evidence(Phase.WAITING),
        no_permit=pending("r1").voided(VoidCause.TOO_LATE, "It came too late."),
    )

    assert ended.outcome is Outcome.ROLLED_BACK
    assert ended.reasons[0] == "Deployment 8 failed. Its gate got no permit: It came too late."


def test_an_old_version_that_cannot_run_on_the_schema_is_refused() -> None:
    shut = failure(cause="schema", migration=None, error="a.0002 is not known to the code")

    ended = conclusion(
        Status.FAILED, PREVIOUS, evidence(Phase.FAILED, failed=shut), kind=ReleaseKind.ROLLBACK
    )

    assert ended.outcome is Outcome.REFUSED
    assert "a.0002 is not known to the code" in ended.reasons[0]
    assert "Reverse the migrations" in ended.next_steps[0]


def test_a_rollback_by_hand_says_which_version_serves_again() -> None:
    ended = conclusion(Status.ACTIVE, LIVE, kind=ReleaseKind.ROLLBACK, rollback_to=5)

    assert ended.outcome is Outcome.SUCCEEDED
    assert list(ended.reasons) == ["Version 5 is live again as version 8."]


def test_the_message_of_a_command_has_its_end_and_the_live_version() -> None:
    found = failure(container=COMMAND_CONTAINER, migration=None, error="it ended with exit code 1")

    good = conclusion(Status.ACTIVE, LIVE, kind=ReleaseKind.COMMAND)
    bad = conclusion(
        Status.FAILED, LIVE, evidence(Phase.FAILED, failed=found), kind=ReleaseKind.COMMAND
    )

    same = "Version 8 runs the same app as before"
    assert (good.outcome, bad.outcome) == (Outcome.SUCCEEDED, Outcome.FAILED)
    assert list(good.reasons) == [f"{same}."]
    assert list(bad.reasons) == [
        "The command failed: it ended with exit code 1.",
        f"{same} and is healthy: {SHOWN}",
    ]


def test_a_failed_migration_behind_a_live_version_is_a_rollback() -> None:
    ended = conclusion(Status.FAILED, PREVIOUS, evidence(Phase.FAILED, failed=failure()))

    assert ended == Conclusion(
        outcome=Outcome.ROLLED_BACK,
        reasons=[
            "Migration harvests.0006_one_harvest_a_day failed: "
            "django.db.utils.IntegrityError: could not create unique index",
            f"Version 7 is healthy: {SHOWN}",
        ],
        next_steps=["Correct the cause and push again."],
        is_general_advice=True,
    )


def test_of_a_gate_that_says_nothing_and_may_have_begun_nobody_says_rolled_back() -> None:
    ended = conclusion(Status.FAILED, PREVIOUS, evidence(Phase.SILENT), may_have_begun=True)

    assert ended.outcome is Outcome.FAILED
    assert "Whether a migration had started is unknown" in ended.reasons[0]
    assert "showmigrations" in ended.next_steps[0]
    assert "during a migration" not in " ".join(ended.reasons)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            failed_gate(migration=None, cause="preflight", error="no"),
            "The container migrate failed (preflight): no.",
        ),
        (evidence(Phase.SUCCEEDED), f"Deployment 8 failed after its gate had opened: {APP_FAILED}"),
        (evidence(Phase.UNGATED), f"Deployment 8 failed: {APP_FAILED}"),
        (
            evidence(Phase.SILENT),
            "Deployment 8 failed, and its gate reported nothing. The gate had no permit, so "
            "nothing was applied.",
        ),
        (evidence(Phase.WAITING), "Deployment 8 failed, and its gate reported no cause."),
    ],
)
def test_the_reason_of_a_rollback_is_as_good_as_the_evidence(
    found: GateReport, expected: str
) -> None:
    ended = conclusion(Status.FAILED, PREVIOUS, found)

    assert ended.outcome is Outcome.ROLLED_BACK
    assert expected == ended.reasons[0]


@pytest.mark.parametrize(
    ("database", "atomic", "expected"),
    [
        ("unchanged", False, Outcome.ROLLED_BACK),
        ("unchanged", True, Outcome.ROLLED_BACK),
        ("part-way", True, Outcome.ROLLED_BACK),
        ("part-way", False, Outcome.FAILED),
        ("not known", True, Outcome.FAILED),
        ("not known", False, Outcome.FAILED),
    ],
)
@pytest.mark.parametrize("cause", ["exit", "timeout"])
def test_what_the_gate_found_in_the_database_decides_whether_it_is_a_rollback(
    cause: str, database: str, atomic: bool, expected: Outcome
) -> None:
    failed = failure(cause=cause, database=database)

    ended = conclusion(
        Status.FAILED, PREVIOUS, evidence(Phase.FAILED, failed=failed, atomic=atomic)
    )

    assert ended.outcome is expected
    assert ("ended during a migration" in ended.reasons[-1]) == (expected is Outcome.FAILED)


def test_a_plan_that_the_policy_blocks_is_a_refusal_that_says_how_to_insist() -> None:
    blocked = failure(
        cause="refused", migration=None, database="unchanged", error="harvests.0007 drops a column"
    )

    ended = conclusion(Status.FAILED, PREVIOUS, evidence(Phase.FAILED, failed=blocked))

    assert ended.outcome is Outcome.REFUSED
    assert list(ended.reasons) == [
        "The container migrate failed (refused): harvests.0007 drops a column.",
        f"Version 7 is healthy: {SHOWN}",
    ]
    assert '"allowDestructive": true' in ended.next_steps[0]


@pytest.mark.parametrize("kind", [ReleaseKind.ROLLBACK, ReleaseKind.COMMAND])
def test_what_a_person_has_asked_for_is_left_to_the_person(kind: ReleaseKind) -> None:
    ended = conclusion(Status.ACTIVE, LIVE, verified=verified(8, "FAILED"), kind=kind)

    assert ended.outcome is Outcome.FAILED
    assert '"rollbackTo": 7' in ended.next_steps[0]


def test_reasons_to_go_back_are_not_repeated_when_it_did_not_help() -> None:
    back = rollback_result("FAILED", reasons=["Version 7 works with the current database."])

    ended = conclusion(Status.ACTIVE, ANOTHER, verified=verified(8, "FAILED"), rollback_result=back)

    assert "can work" not in " ".join(ended.reasons)


@pytest.mark.parametrize(("phase", "is_back"), [(Phase.FAILED, True), (Phase.APPLYING, False)])
def test_what_served_although_its_gate_failed_can_be_gone_back_from(
    phase: Phase, is_back: bool
) -> None:
    found = evidence(phase, failed=failure() if phase is Phase.FAILED else None)

    ended = conclusion(Status.FAILED, ANOTHER, found, rollback_result=rollback_result("GOOD"))

    assert (ended.outcome is Outcome.ROLLED_BACK) is is_back
    assert ("Version 7 is live again as version 9." in ended.reasons) is is_back


BACKS = [None, *(rollback_result(status) for status in ("KEPT", "GOOD", "FAILED", "ACTIVATING"))]
FOUND = [None, *(verified(v, s) for v in (7, 8, 9) for s in ("GOOD", "FAILED", "REPLACED"))]


def test_success_and_rollback_always_need_the_service_and_the_app_to_say_so() -> None:
    for status, shown, phase, previous, found, back, kind in itertools.product(
        Status, [LIVE, PREVIOUS, NOTHING, ANOTHER], Phase, [7, None], FOUND, BACKS, ReleaseKind
    ):
        ended = conclusion(
            status,
            shown,
            evidence(phase),
            previous,
            verified=found,
            rollback_result=back,
            kind=kind,
        )

        if ended.outcome is Outcome.SUCCEEDED:
            assert shown.serves(8)
            assert found is not None
            assert found.is_good(8)
        elif ended.outcome is Outcome.ROLLED_BACK:
            is_kept = shown.serves(7) and found is not None and found.is_good(7)
            is_back = shown.serves(9) and back is not None and back.is_good
            assert is_kept or is_back
            assert status is Status.ACTIVE or phase is not Phase.APPLYING
        assert ended.outcome is Outcome.SUCCEEDED or ended.reasons


ONE_WAY = Judgement(verdict=Verdict.ONE_WAY, reasons=("A column is added.",))
UNDONE = ReversalProgress(migrations=("crops.0002",), call=("python",), is_done=True)


def reversed_as(status: str, shown: Service, **changes: Any) -> Conclusion:
    """Version 8 failed after its migrations, and version 7 was deployed again as version 9."""
    return conclusion(
        Status.FAILED,
        shown,
        evidence(Phase.SUCCEEDED, changed=True),
        may_have_begun=True,
        release=RELEASE,
        judgement=ONE_WAY,
        verified=verified(7),
        rollback_result=rollback_result(status, **{"reversal": UNDONE, **changes}),
    )


def test_a_reversal_is_a_rollback_if_the_old_version_is_live_and_healthy() -> None:
    shown = service(current=deployment(9, release=f"{RELEASE}-back"))

    found = reversed_as("GOOD", shown)

    assert found.outcome is Outcome.ROLLED_BACK
    assert "Lightgate reversed crops.0002. The schema is as it was before the release." in (
        found.reasons
    )


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("FAILED", {}),
        ("FAILED", {"reversal": replace(UNDONE, is_done=False)}),
        ("GOOD", {"reversal": replace(UNDONE, is_done=False)}),
        ("ACTIVATING", {}),
        ("LOST", {"version": None, "reversal": replace(UNDONE, is_done=False)}),
    ],
)
def test_a_reversal_that_is_not_proved_is_a_failure(status: str, changes: dict[str, Any]) -> None:
    shown = service(current=deployment(9, release=f"{RELEASE}-back"))

    assert reversed_as(status, shown, **changes).outcome is Outcome.FAILED


def test_a_reversal_that_lost_the_lock_before_it_began_is_a_failure() -> None:
    lost = {"version": None, "watch": None, "reasons": ["Another release has it."]}
    found = reversed_as("LOST", service(current=deployment(7)), reversal=ReversalProgress(), **lost)

    assert found.outcome is Outcome.FAILED
    assert "Lightgate did not reverse the migrations." in found.reasons
    assert "Another release has it." in found.reasons


def test_a_reversal_whose_version_was_replaced_is_a_failure() -> None:
    assert reversed_as("GOOD", service(current=deployment(10))).outcome is Outcome.FAILED


def test_without_a_reversal_the_release_fails_as_without_the_key_and_says_why() -> None:
    doubt = Doubt(bar=ReversalBar.WORKER, reason="A worker started.")
    shown = service(current=deployment(7))

    found = reversed_as(
        "NOT_REVERSED",
        shown,
        version=None,
        reasons=["Not reversed:", doubt.reason],
        reversal=ReversalProgress(doubts=(doubt,)),
    )

    assert found.outcome is Outcome.FAILED
    assert "A worker started." in found.reasons
    assert any("Version 7 may fail with the current database" in one for one in found.reasons)
