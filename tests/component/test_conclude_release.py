"""The record and the message of a release that has ended."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lightgate.aws.s3_gate_channel import GateAddress
from lightgate.backup.backup import BackupOrder
from lightgate.backup.progress import SnapshotProgress
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.codec import encode
from lightgate.deployment.status import Status
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.errors import RefusalCode, RefusedError
from lightgate.gate.gate_report import Phase
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.migrations.permit import VoidCause
from lightgate.names import RELEASE_VARIABLE, rollback_marker
from lightgate.operations.caught_error import words_of
from lightgate.operations.conclude_release import conclude_release, why_not_permitted
from lightgate.records.recorded_outcome import RecordedOutcome
from lightgate.release.release import Release
from lightgate.runtime import Runtime, Settings
from lightgate.spec.database_kinds import BackupMode, DatabaseKind
from lightgate.state import (
    Admission,
    DeploymentProgress,
    Facts,
    RollbackProgress,
    RollbackStatus,
    Stop,
    StopStatus,
)
from lightgate.verification.health import WatchStatus
from lightgate.verification.verified import Verified
from tests.component import table
from tests.component.cloud import Cloud
from tests.component.lightsail_service import Course
from tests.support.builders import (
    EXECUTION,
    IMAGE,
    RELEASE,
    STARTED,
    admission,
    bare_state,
    evidence,
    progress,
)

NAME = "crops-backend"
SAFE = Judgement(verdict=Verdict.SAFE)
type Json = dict[str, Any]


@pytest.fixture
def runtime(cloud: Cloud) -> Runtime:
    table.create(cloud)
    cloud.lightsail.add(NAME)
    cloud.lightsail.deploy_by_somebody(NAME)
    cloud.client("s3").create_bucket(Bucket="mailboxes")
    # The release is on record from its admission on.
    cloud.client("dynamodb").put_item(
        TableName=table.NAME,
        Item={
            "app": {"S": NAME},
            "item": {"S": f"release#{RELEASE}"},
            "admission": {"S": json.dumps(encode(admitted_with_snapshot()))},
        },
    )
    environment = {"LIGHTGATE_MAILBOX_BUCKET": "mailboxes", "LIGHTGATE_TABLE": table.NAME}
    return Runtime(Settings.from_environment(environment))


def record_outcome(ended: Facts, runtime: Runtime) -> RecordedOutcome:
    """The outcome on record."""
    return conclude_release(ended, runtime).outcome


def deploy(cloud: Cloud, runtime: Runtime, marker: str) -> int:
    """Deploy under this marker, and wait until it serves."""
    environment = {RELEASE_VARIABLE: marker}
    web = {"image": "registry/crops:1", "environment": environment, "ports": {"8000": "HTTP"}}
    cloud.lightsail.courses.append(Course(after=timedelta()))
    runtime.lightsail.create_deployment({"serviceName": NAME, "containers": {"web": web}})
    shown = runtime.lightsail.service(NAME).deployment_of(marker)
    assert shown is not None
    return shown.version


def admitted_with_snapshot(release: Release = IMAGE) -> Admission:
    order = BackupOrder(
        kind=DatabaseKind.INSTANCE,
        database="crops-db",
        mode=BackupMode.ALWAYS,
        snapshot=f"lightgate-{NAME}-{RELEASE}",
        time_limit=timedelta(seconds=600),
    )
    return admission(release, database=order)


def ended(release: Release = IMAGE, *, stopped: str | None = None, **answers: Any) -> Facts:
    state = bare_state(admission=admitted_with_snapshot(release), **answers)
    return Facts(state=state, stopped=stopped)


def deployed(**changes: Any) -> DeploymentProgress:
    usual = {"version": 2, "previous_version": 1, "gate": evidence(), "judgement": SAFE}
    return progress(**{**usual, **changes})


def verified(status: str = "GOOD", version: int = 2) -> Verified:
    return Verified(status=WatchStatus(status), version=version, reason="It answered.")


def message(settled: RecordedOutcome) -> Json:
    found: Json = json.loads(json.loads(settled.message or "")["sqs"])
    return found


def test_a_success_leaves_a_good_version_for_those_that_come_after(
    cloud: Cloud, runtime: Runtime
) -> None:
    deploy(cloud, runtime, RELEASE)

    settled = record_outcome(ended(deployment=deployed(), verification=verified()), runtime)

    [past] = runtime.releases.versions(NAME).values()
    assert settled.status == "SUCCEEDED"
    assert (past.version, past.release, past.is_good) == (2, RELEASE, True)
    assert past.judgement.verdict is Verdict.SAFE
    assert settled.judgement == SAFE


def test_a_rollback_records_both_versions(cloud: Cloud, runtime: Runtime) -> None:
    marker = rollback_marker(RELEASE)
    deploy(cloud, runtime, RELEASE)
    deploy(cloud, runtime, marker)
    usual: Json = {"begun_at": STARTED, "poll_seconds": 10}
    good = RollbackStatus.GOOD
    back = RollbackProgress(status=good, target=1, version=3, release=marker, **usual)
    answers = {"deployment": deployed(), "verification": verified("FAILED"), "rollback": back}

    settled = record_outcome(ended(**answers), runtime)

    assert settled.status == "ROLLED_BACK"
    found = runtime.releases.versions(NAME)
    seen = [(past.release, past.is_good) for past in found.values()]
    assert seen == [(RELEASE, False), (marker, True)]


def test_a_release_that_was_cut_off_leaves_what_it_had_deployed_as_not_known(
    cloud: Cloud, runtime: Runtime
) -> None:
    deploy(cloud, runtime, RELEASE)
    deploy(cloud, runtime, rollback_marker(RELEASE))

    settled = record_outcome(ended(stopped="ABORTED"), runtime)

    own, back = runtime.releases.versions(NAME).values()
    assert settled.status == "FAILED"
    assert (own.is_good, own.judgement.verdict) == (False, Verdict.UNKNOWN)
    assert (back.is_good, back.judgement.verdict) == (False, Verdict.NONE)
    assert "The rollback created deployment 3" in settled.cause


@pytest.mark.parametrize("stopped", ["ABORTED", None])
def test_a_release_whose_admission_cannot_be_read_is_not_called_refused(
    cloud: Cloud, runtime: Runtime, stopped: str | None
) -> None:
    deploy(cloud, runtime, RELEASE)
    execution = {"app": {"S": NAME}, "item": {"S": f"execution#{EXECUTION.rpartition(':')[2]}"}}
    cloud.client("dynamodb").put_item(
        TableName=table.NAME, Item={**execution, "release": {"S": RELEASE}}
    )
    cloud.client("dynamodb").update_item(
        TableName=table.NAME,
        Key={"app": {"S": NAME}, "item": {"S": f"release#{RELEASE}"}},
        UpdateExpression="SET admission = :other, fence = :fence",
        ExpressionAttributeValues={":other": {"S": '{"shape": "other"}'}, ":fence": {"S": "7"}},
    )
    unread = {"Error": "DecodeError", "Cause": "$.admission.shape is unknown"}

    settled = conclude_release(Facts(state=bare_state(error=unread), stopped=stopped), runtime)

    outcome = settled.outcome
    assert (outcome.status, outcome.release, settled.fence) == ("FAILED", RELEASE, 7)
    assert "Whether it deployed or migrated anything is unknown." in outcome.cause
    assert "Nothing was deployed" not in outcome.cause
    assert list(runtime.releases.owed_messages()) == [(NAME, RELEASE)]


@pytest.mark.parametrize("how", [{"stopped": "ABORTED"}, {"error": {"Error": "x", "Cause": "y"}}])
@pytest.mark.parametrize("needs_permit", [True, False])
def test_an_unreported_restore_point_is_named_and_its_restore_commands_if_it_may_be_needed(
    runtime: Runtime, how: Json, *, needs_permit: bool
) -> None:
    release = IMAGE if needs_permit else replace(IMAGE, asking_gates={})

    told = message(record_outcome(ended(release, **how), runtime))

    snapshot = f"lightgate-{NAME}-{RELEASE}"
    assert told["snapshot"]["id"] == snapshot
    assert told["snapshot"]["status"] is None
    assert f"Snapshot   {snapshot} (unknown whether it was created)" in told["text"]
    assert (f"--db-snapshot-identifier {snapshot}" in told["text"]) == (not needs_permit)


def test_a_snapshot_that_failed_is_called_so(cloud: Cloud, runtime: Runtime) -> None:
    deploy(cloud, runtime, RELEASE)
    failed = SnapshotProgress(
        status=SnapshotStatus.FAILED,
        id="s",
        detail="failed",
        asked_at=STARTED,
        begun_at=STARTED,
        available_at=None,
        restores_to=None,
    )

    told = message(record_outcome(ended(deployment=deployed(snapshot=failed)), runtime))

    assert "\nSnapshot   s (failed: failed; it cannot be restored)\n" in told["text"]


def test_the_cause_and_what_was_planned_are_in_message_and_record(
    cloud: Cloud, runtime: Runtime
) -> None:
    deploy(cloud, runtime, RELEASE)
    failure = Diagnosis(
        kind=FailureClass.APP_CRASH, what="It ended.", evidence="boom", next_action="Mend."
    )
    facts = replace(ended(deployment=deployed()), diagnosis=failure, planned=["crops.0002_a"])

    settled = record_outcome(facts, runtime)

    assert settled.failure == failure
    assert message(settled)["failure"] == encode(failure)
    assert (
        "\nCause      It ended.\nEvidence   boom\nRunbook    docs/runbook.md, section app-crash\n\n"
        "Next       Mend.\n" in message(settled)["text"]
    )
    assert "1 migration not known to be applied: crops.0002_a\n" in message(settled)["text"]


def test_a_command_does_not_make_its_image_that_of_the_app(cloud: Cloud, runtime: Runtime) -> None:
    deploy(cloud, runtime, RELEASE)
    command = replace(IMAGE, command=("python", "manage.py", "check"))

    settled = record_outcome(
        ended(command, deployment=deployed(), verification=verified()), runtime
    )

    assert IMAGE.digest is not None
    image = runtime.releases.release_of_image(NAME, IMAGE.digest)
    assert (settled.status, image) == ("SUCCEEDED", None)
    assert settled.subject.startswith(f"[production] {NAME} SUCCEEDED")
    assert message(settled)["kind"] == "COMMAND"


@pytest.mark.parametrize("cause", VoidCause)
def test_why_there_was_no_permit_is_known_if_it_was_not_withdrawn_after_the_fact(
    runtime: Runtime, cause: VoidCause
) -> None:
    address = GateAddress(app=NAME, release=RELEASE, container="migrate")
    runtime.gate_channels.open(address, "classifier")
    before = why_not_permitted(IMAGE, runtime)
    permit = runtime.gate_channels.void(address, cause, "in whatever words")

    assert before is None
    assert why_not_permitted(IMAGE, runtime) == (None if cause is VoidCause.ENDED else permit)


def test_a_reason_that_the_gate_could_not_send_is_added(runtime: Runtime) -> None:
    address = GateAddress(app=NAME, release=RELEASE, container="migrate")
    runtime.gate_channels.open(address, "classifier")
    runtime.gate_channels.void(address, VoidCause.TOO_LATE, "It came too late.")
    waiting = replace(evidence(), phase=Phase.WAITING)
    deployment = deployed(status=Status.FAILED, gate=waiting)

    settled = record_outcome(
        ended(deployment=deployment, verification=verified("GOOD", 1)), runtime
    )

    assert "Its gate got no permit: It came too late." in settled.cause


@pytest.mark.parametrize("step", ["snapshot", "deployment"])
def test_a_lock_that_was_lost_without_a_recorded_outcome_ends_the_release_as_failed(
    runtime: Runtime, step: str
) -> None:
    reason = "The release no longer holds the deployment lock."
    lost = Stop(status=StopStatus.LOST, reasons=(reason,))

    settled = conclude_release(ended(**{step: lost}), runtime)

    assert settled.outcome.status == "FAILED"
    assert "no longer holds the deployment lock" in settled.outcome.cause
    assert settled.owes_message


def test_a_refusal_has_its_code_in_the_record_and_in_the_message(runtime: Runtime) -> None:
    stop = Stop.refused(RefusedError("In whatever words.", code=RefusalCode.QUOTA))

    settled = record_outcome(ended(snapshot=stop), runtime)

    assert (settled.status, settled.code) == ("REFUSED", RefusalCode.QUOTA)
    assert message(settled)["code"] == "quota"


def test_an_error_is_quoted_without_control_characters() -> None:
    cause = json.dumps({"errorMessage": "\x1b[31mred\r\n\u202e"})

    assert words_of({"Error": "ValueError", "Cause": cause}) == "ValueError:  [31mred   "
