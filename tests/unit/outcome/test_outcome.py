"""How a release ended whose deployment nobody could follow, and what people are told to do."""

import pytest

from lightgate.errors import RefusalCode, joined
from lightgate.outcome.outcome import (
    Conclusion,
    Outcome,
    WayToStart,
    broken,
    refused,
    stopped,
    unverified,
)
from lightgate.release.lightgate_command import how_to_start
from lightgate.release.release import ReleaseKind
from lightgate.state import RollbackResult, RollbackStatus
from tests.support.builders import EXECUTION, deployment

WAY = WayToStart(parameter="/lightgate/apps/crops", command="aws stepfunctions …")


@pytest.mark.parametrize(
    ("said", "shown"),
    [("a: is missing", "a: is missing."), ("Why?", "Why?"), ("The reasons:", "The reasons:")],
)
def test_every_reason_ends_as_a_sentence(said: str, shown: str) -> None:
    ended = Conclusion(outcome=Outcome.FAILED, reasons=[said], next_steps=[])

    assert list(ended.reasons) == [shown]


def test_a_refusal_keeps_all_reasons() -> None:
    ended = refused(["a: is missing", "b: is missing"], code=RefusalCode.INPUT)

    assert ended.outcome is Outcome.REFUSED
    assert list(ended.reasons) == ["a: is missing.", "b: is missing."]


@pytest.mark.parametrize(
    ("version", "is_service_known", "reasons", "step"),
    [
        (None, True, ["No deployment of this release was found."], "Start the release again."),
        (
            None,
            False,
            ["Whether a deployment was created could not be determined."],
            "Check the deployments of the container service. Start the release again.",
        ),
        (8, True, [], "Check how deployment 8 of this release ended before you push again."),
    ],
)
def test_a_broken_release_says_whether_anything_was_deployed(
    version: int | None, *, is_service_known: bool, reasons: list[str], step: str
) -> None:
    ended = broken("States.Timeout", version, is_service_known=is_service_known)

    assert ended.outcome is Outcome.FAILED
    assert list(ended.reasons) == ["The release could not continue: States.Timeout.", *reasons]
    assert ended.next_steps[0] == step


def test_the_reasons_name_a_deployment_that_a_rollback_left_in_progress() -> None:
    left = "The rollback created deployment 9, which was ACTIVATING."

    cut = stopped(
        "ABORTED",
        admitted=True,
        deployment=deployment(8),
        back=deployment(9, "ACTIVATING"),
    )
    torn = broken(
        "States.Timeout", 8, RollbackResult(status=RollbackStatus.ACTIVATING, target=7, version=9)
    )

    assert left in cut.reasons[-1]
    assert left in torn.reasons[-1]


def left_serving(
    *, previous: int | None = 7, wrong: str | None = None, is_open: bool = True
) -> Conclusion:
    return unverified(
        "States.Timeout",
        app="crops",
        execution=EXECUTION,
        version=8,
        previous=previous,
        wrong=wrong,
        is_open=is_open,
    )


def test_an_unverified_version_stays_live_until_somebody_decides() -> None:
    ended = left_serving()

    assert ended.outcome is Outcome.FAILED
    assert ended.reasons[-1] == "Version 8 is live, but its health is unknown."
    check, back, _ = ended.next_steps
    assert check == "Check now whether the app works. If it does, version 8 can stay live."
    to_7 = how_to_start(EXECUTION, {"app": "crops", "rollbackTo": 7})
    assert back == f"To roll back: {to_7}"


def test_an_unhealthy_version_that_stays_live_is_reported_with_its_problem() -> None:
    ended = left_serving(wrong="GET / returned 500.")

    assert ended.reasons[-1] == ("Version 8 is live, but unhealthy: GET / returned 500.")


def test_an_unsafe_rollback_is_offered_with_what_it_takes() -> None:
    back = left_serving(is_open=False).next_steps[2]

    assert "reverse the applied migrations first" in back
    assert '"allowDestructive": true' in back


def test_with_nothing_before_there_is_nothing_to_choose() -> None:
    assert "rollbackTo" not in " ".join(left_serving(previous=None).next_steps)


@pytest.mark.parametrize("kind", ReleaseKind)
def test_the_next_step_of_a_refusal_is_to_correct_it_and_start_again_in_the_same_way(
    kind: ReleaseKind,
) -> None:
    steps = refused(["no"], kind, code=RefusalCode.IMAGE, way=WAY).next_steps

    assert ("push again" in steps[0]) is (kind is ReleaseKind.IMAGE)
    assert steps[-1].endswith(WAY.command) is (kind is not ReleaseKind.IMAGE)


@pytest.mark.parametrize("kind", ReleaseKind)
def test_a_wrong_input_is_never_corrected_by_a_push(kind: ReleaseKind) -> None:
    [step] = refused(["no"], kind, code=RefusalCode.INPUT, way=WAY).next_steps

    assert step == "Correct the input of the execution, and start it again."


def test_a_release_that_an_update_interrupted_is_only_started_again() -> None:
    [step] = refused(["no"], code=RefusalCode.UPDATED, way=WAY).next_steps

    assert step == f"Start the release again: {WAY.command}"


def test_a_broken_release_says_how_to_start_it_again() -> None:
    assert broken("States.Timeout", None, way=WAY).next_steps[0].endswith(WAY.command)
    cut = stopped("ABORTED", admitted=False, deployment=None, way=WAY)
    assert cut.next_steps == [f"Start the release again: {WAY.command}"]


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (RefusalCode.SPEC, "Correct the spec in the parameter /lightgate/apps/crops"),
        (RefusalCode.SPEC_MISSING, "Store the spec of the app as the parameter"),
        (RefusalCode.SECRET, "Correct the secret that the reason names, or its entry in"),
        (RefusalCode.DATABASE, "database in the parameter /lightgate/apps/crops"),
        (RefusalCode.SERVICE_MISSING, "Create the container service, or correct serviceName"),
        (RefusalCode.SERVICE_DISABLED, "Enable the container service"),
        (RefusalCode.QUOTA, "Delete old snapshots"),
        (RefusalCode.NOTHING_LIVE, "Release a version of the app first."),
        (RefusalCode.LOCKED, "Wait until the other release has ended."),
    ],
)
def test_a_refusal_that_no_push_mends_says_what_to_correct_and_how_to_start(
    code: RefusalCode, what: str
) -> None:
    first, then = refused(["no"], code=code, way=WAY).next_steps

    assert what in first
    assert then == "Then start the release again: aws stepfunctions …"


def test_a_refused_image_is_pushed_again() -> None:
    [step] = refused(["no"], code=RefusalCode.IMAGE, way=WAY).next_steps

    assert step == "Correct the cause and push again."


def test_joined_reasons_are_sentences() -> None:
    assert joined(["a: is missing", "So stop.", "b"]) == "a: is missing. So stop. b."
    assert joined([]) == ""


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("Give it: aws lightsail tag-resource --tags key=k,value=v", "value=v"),
        ("Store it with aws ssm put-parameter --value file://a.json", "file://a.json"),
        ("Read it: aws ssm get-parameter --name /a. Then push again", "push again."),
    ],
)
def test_a_command_at_the_end_of_a_reason_gets_no_full_stop(reason: str, end: str) -> None:
    assert joined([reason]).endswith(end)
