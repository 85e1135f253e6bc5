"""The stages of a release, from what its steps have seen."""

from datetime import datetime, timedelta

from lightgate.backup.progress import SnapshotProgress
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.deployment.status import Status
from lightgate.gate.gate_report import Phase
from lightgate.outcome.stages import stages_of
from lightgate.records.release_record import StageName
from lightgate.state import Facts, Stop, StopStatus
from tests.support.builders import IMAGE, admission, bare_state, evidence, progress

START = bare_state().started_at


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_the_node_starts_while_the_snapshot_is_made() -> None:
    snapshot = SnapshotProgress(
        status=SnapshotStatus.AVAILABLE,
        id="lightgate-crops",
        detail="available",
        asked_at=at(1),
        begun_at=at(1),
        available_at=at(181),
        restores_to=at(2),
    )
    deployment = progress(
        status=Status.ACTIVE,
        version=8,
        created_at=at(90),
        ready_at=at(170),
        permitted=True,
        permitted_at=at(182),
        opened_at=at(200),
        ended_at=at(230),
        gate=evidence(phase=Phase.SUCCEEDED, began_at=at(183).isoformat()),
    )
    facts = Facts(
        state=bare_state(admission=admission(IMAGE), snapshot=snapshot, deployment=deployment)
    )

    found = {one.name: one for one in stages_of(facts, at(400))}

    assert list(found) == [
        StageName.ADMISSION,
        StageName.SNAPSHOT,
        StageName.NODE,
        StageName.PERMIT,
        StageName.MIGRATION,
        StageName.ACTIVATION,
    ]
    snapshot_ended = found[StageName.SNAPSHOT].ended_at
    assert snapshot_ended is not None
    assert found[StageName.NODE].started_at < snapshot_ended
    assert found[StageName.MIGRATION].ended_at == at(200)


def test_a_refused_release_has_one_stage_with_the_reason() -> None:
    stop = Stop(status=StopStatus.REFUSED, reasons=("the secret crops/db does not exist",))

    [stage] = stages_of(Facts(state=bare_state(admission=stop)), at(3))

    assert (stage.name, stage.ended_at) == (StageName.ADMISSION, at(3))
    assert stage.reason == "the secret crops/db does not exist"
