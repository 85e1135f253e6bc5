"""What goes on record of the versions that a release has made."""

from dataclasses import replace
from typing import Any

import pytest

from lightgate.codec import encode
from lightgate.deployment.status import Service, Status
from lightgate.gate.gate_report import (
    NO_GATE_REPORT,
    DatabaseAfter,
    GateCause,
    GateReport,
    Migration,
    Phase,
)
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.migrations.outside import RecordedMigrations
from lightgate.names import rollback_marker
from lightgate.records.version import VersionRecord, VersionSource, read_version
from lightgate.release.release import Release, ReleaseKind, UsedSpec
from lightgate.rollback.version_history import applied_judgement, listed_records, records_of_release
from lightgate.state import DeploymentProgress, ReversalProgress, RollbackProgress, RollbackStatus
from lightgate.verification.health import WatchStatus
from lightgate.verification.verified import Verified
from tests.support import builders
from tests.support.builders import (
    IMAGE,
    RELEASE,
    SPEC_DIGEST,
    STARTED,
    admitted,
    failure,
    progress,
    service,
    version_record,
)

NONE, SAFE = Judgement(verdict=Verdict.NONE), Judgement(verdict=Verdict.SAFE)
ONE_WAY = Judgement(verdict=Verdict.ONE_WAY, reasons=("A column is removed.",))
BACK = admitted(rollback_to=5)
COMMAND = admitted(command=("python", "manage.py", "check"))
APPLIED = Migration(name="crops.0004_y", seconds=1.0)
REFUSED = {"refusal": "The policy forbids it.", "permitted": False}


def past(
    version: int, digest: str | None = "sha256:5", spec_version: int | None = 2
) -> VersionRecord:
    spec_digest = None if spec_version is None else SPEC_DIGEST
    return version_record(
        version, digest=digest, spec_version=spec_version, spec_digest=spec_digest
    )


def deployment(**changes: Any) -> DeploymentProgress:
    return progress(**{"judgement": SAFE, **changes})


def verified(status: str = "GOOD", version: int = 8) -> Verified:
    return Verified(status=WatchStatus(status), version=version)


def rollback(status: str) -> RollbackProgress:
    return RollbackProgress(
        status=RollbackStatus(status),
        target=7,
        version=9,
        release=rollback_marker(RELEASE),
        begun_at=STARTED,
        poll_seconds=10,
        source=VersionSource(
            digest="sha256:7", spec_version=2, spec_digest=SPEC_DIGEST, code="r3", fits=3
        ),
    )


def made(
    release: Release = IMAGE,
    deployed: DeploymentProgress | None = None,
    *,
    succeeded: bool = False,
    verified: Verified | None = None,
    rollback: RollbackProgress | None = None,
) -> list[VersionRecord]:
    found = records_of_release(
        release,
        deployed,
        own=8,
        back=rollback.version if rollback is not None else None,
        succeeded=succeeded,
        past={5: past(5), 7: past(7, "sha256:7", 1)},
        verified=verified,
        rollback=rollback,
    )
    return list(found)


def test_a_success_is_on_record_as_a_good_version_with_its_image_its_spec_and_its_verdict() -> None:
    [own] = made(IMAGE, deployment(), succeeded=True)

    assert own == version_record(8, release=RELEASE, judgement=SAFE)


@pytest.mark.parametrize(
    ("deployed", "seen", "expected"),
    [
        (deployment(), verified(), True),
        (deployment(), verified("FAILED"), False),
        (deployment(), verified("GOOD", 7), False),
        (deployment(), None, False),
        (deployment(status=Status.FAILED), verified(), False),
        (None, None, False),
    ],
)
def test_without_success_a_version_is_good_only_by_its_own_verification(
    deployed: DeploymentProgress | None, seen: Verified | None, expected: bool
) -> None:
    [own] = made(IMAGE, deployed, verified=seen)

    assert own.is_good is expected


def test_an_unseen_plan_is_unknown() -> None:
    [own] = made()

    assert own.judgement.verdict is Verdict.UNKNOWN
    assert own.judgement.reasons


@pytest.mark.parametrize(
    ("release", "changes", "expected"),
    [
        (IMAGE, {}, ONE_WAY),
        (IMAGE, {**REFUSED}, NONE),
        # No permit was given, and nothing went on when the deployment failed.
        (IMAGE, {"permitted": False, "status": Status.FAILED}, NONE),
        (IMAGE, {"permitted": False, "status": Status.OVERDUE}, ONE_WAY),
        (IMAGE, {"permitted": False}, ONE_WAY),
        (IMAGE, {"permitted": True, "status": Status.FAILED}, ONE_WAY),
        (admitted(asking_gates={}), {"permitted": False, "status": Status.FAILED}, ONE_WAY),
        # A permit that could not be read may have been given.
        (IMAGE, {"permitted": False, "status": Status.FAILED, "unknown": ("No answer.",)}, ONE_WAY),
        (IMAGE, {**REFUSED, "unknown": ("No answer.",)}, ONE_WAY),
        # There was a permit before, for another gate or another plan.
        (IMAGE, {**REFUSED, "permitted": True}, ONE_WAY),
        (admitted(asking_gates={}), {**REFUSED}, ONE_WAY),
        (IMAGE, {**REFUSED, "gate": replace(NO_GATE_REPORT, began_at="2026-11-16")}, ONE_WAY),
        (IMAGE, {**REFUSED, "gate": replace(NO_GATE_REPORT, migrations=[APPLIED])}, ONE_WAY),
        (BACK, {}, NONE),
        (COMMAND, {}, ONE_WAY),
    ],
)
def test_only_what_has_applied_nothing_for_sure_stands_against_nothing(
    release: Release, changes: dict[str, Any], expected: Judgement
) -> None:
    assert applied_judgement(release, deployment(judgement=ONE_WAY, **changes)) == expected


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (BACK, ("sha256:5", 2, "r5", 5)),
        (COMMAND, ("sha256:7", 1, "r7", 7)),
        (admitted(rollback_to=4), (None, None, None, None)),
    ],
)
def test_a_redeployed_version_keeps_its_source_and_age(
    release: Release, expected: tuple[str | None, int | None, str | None, int | None]
) -> None:
    [own] = made(release, deployment(), succeeded=True)

    assert (own.digest, own.spec_version, own.code, own.fits) == expected


TOLD = {"migrate": NONE}


@pytest.mark.parametrize(
    ("release", "changes", "fits"),
    [
        (BACK, {"judgements": TOLD}, 8),
        # A person has overridden the check, or the gate has not reported one.
        (admitted(rollback_to=5, allow_destructive=True), {"judgements": TOLD}, 5),
        (BACK, {"judgements": {}}, 5),
        (BACK, {"judgements": {"migrate": ONE_WAY}}, 5),
        (admitted(rollback_to=5, gates=("migrate", "seed")), {"judgements": TOLD}, 5),
        (admitted(rollback_to=5, gates=()), {"judgements": TOLD}, 5),
        (BACK, {"judgements": TOLD, "status": Status.FAILED}, 5),
        # Of what nobody knows the age its gates do not know it either.
        (admitted(rollback_to=4), {"judgements": TOLD}, None),
        (COMMAND, {"judgements": TOLD}, 7),
    ],
)
def test_old_code_is_known_to_fit_a_schema_that_its_gates_have_checked(
    release: Release, changes: dict[str, Any], fits: int | None
) -> None:
    [own] = made(release, deployment(**changes))

    assert own.fits == fits


UNDONE = failure(cause="exit", migration="crops.0005_x", database="unchanged")
UNCHANGED = GateReport(
    phase=Phase.FAILED,
    began_at="2026-11-16T01:56:00+00:00",
    migrations=[],
    atomic=True,
    changed=False,
    failure=UNDONE,
)


SILENT: dict[str, Any] = {"began_at": None}  # its command was not seen to begin


@pytest.mark.parametrize(
    ("gate", "changes", "expected"),
    [
        ({}, {}, NONE),
        ({"failure": replace(UNDONE, cause=GateCause.REFUSED, migration=None)}, {}, NONE),
        # It has not run the command, and cannot know of the node that it was waiting for.
        ({"failure": replace(UNDONE, cause=GateCause.LOCK, migration=None)}, {}, ONE_WAY),
        ({"failure": replace(UNDONE, database=DatabaseAfter.PART_WAY)}, {}, ONE_WAY),
        ({"failure": replace(UNDONE, database=DatabaseAfter.UNKNOWN)}, {}, ONE_WAY),
        ({"failure": replace(UNDONE, database=None)}, {}, ONE_WAY),
        ({"failure": None}, {}, ONE_WAY),
        ({"atomic": False}, {}, ONE_WAY),
        # A system check has failed, before the first migration of a plan that is not atomic.
        ({"atomic": False, "failure": replace(UNDONE, migration=None)}, {}, NONE),
        ({"atomic": False, "failure": replace(UNDONE, migration=None), **SILENT}, {}, ONE_WAY),
        ({"migrations": [APPLIED]}, {}, ONE_WAY),
        # Another gate has applied something, or has not told.
        ({"changed": True}, {}, ONE_WAY),
        ({"changed": None}, {}, ONE_WAY),
        # The app has started, so a gate has opened.
        ({}, {"status": Status.ACTIVE}, ONE_WAY),
        ({}, {"status": Status.OVERDUE}, ONE_WAY),
    ],
)
def test_a_migration_that_has_left_nothing_stands_against_nothing(
    gate: dict[str, Any], changes: dict[str, Any], expected: Judgement
) -> None:
    state = {"status": Status.FAILED, "judgement": ONE_WAY, **changes}
    found = deployment(gate=replace(UNCHANGED, **gate), **state)

    assert applied_judgement(IMAGE, found) == expected


@pytest.mark.parametrize(
    ("status", "good"), [("GOOD", True), ("FAILED", False), ("ACTIVATING", False)]
)
def test_the_rollbacks_version_is_recorded_beside_the_failed_one(status: str, good: bool) -> None:
    own, back = made(IMAGE, deployment(), rollback=rollback(status))

    assert own.version == 8
    source = {"digest": "sha256:7", "spec_version": 2, "code": "r3", "fits": 3}
    marked = {"release": rollback_marker(RELEASE), "kind": ReleaseKind.ROLLBACK}
    assert back == version_record(9, **marked, **source, is_good=good, judgement=NONE)


@pytest.mark.parametrize("done", [True, False])
def test_a_reversed_release_counts_as_one_that_applied_nothing(done: bool) -> None:
    reversal = ReversalProgress(migrations=("crops.0004_y",), is_done=done)
    recorded = {"migrate": RecordedMigrations(found={"crops": "old"}, left={"crops": "new"})}
    failed = deployment(status=Status.FAILED, judgement=ONE_WAY, recorded=recorded)

    own, _ = made(IMAGE, failed, rollback=replace(rollback("GOOD"), reversal=reversal))

    assert own.judgement == (NONE if done else ONE_WAY)
    assert own.left == {"migrate": {"crops": "old" if done else "new"}}


def test_a_rollback_that_was_not_followed_is_recorded_as_not_good() -> None:
    found = records_of_release(IMAGE, None, own=8, back=9, succeeded=False, past={})

    assert [(one.version, one.release, one.is_good) for one in found] == [
        (8, RELEASE, False),
        (9, rollback_marker(RELEASE), False),
    ]


def test_a_release_without_a_deployment_records_no_version() -> None:
    assert records_of_release(IMAGE, None, own=None, back=None, succeeded=False, past={}) == []


@pytest.mark.parametrize("one", [past(7), past(7, None, None)])
def test_a_version_on_record_reads_as_it_was_written(one: VersionRecord) -> None:
    assert read_version(encode(one)) == one


def test_the_spec_of_a_record_without_its_text_is_unknown() -> None:
    written = encode(past(7))
    del written["specDigest"]

    assert past(7).spec == UsedSpec(version=2, digest=SPEC_DIGEST)
    assert read_version(written).spec is None


@pytest.mark.parametrize(
    ("kind", "code", "fits"),
    [
        (ReleaseKind.IMAGE, "r7", 7),
        (ReleaseKind.COMMAND, None, None),
        (ReleaseKind.ROLLBACK, None, None),
    ],
)
def test_an_old_record_tells_only_of_an_image_how_old_its_code_is(
    kind: ReleaseKind, code: str | None, fits: int | None
) -> None:
    written = {**encode(past(7)), "kind": kind.value}
    del written["code"], written["fits"]

    found = read_version(written)

    assert (found.code, found.fits) == (code, fits)


def test_a_service_that_was_made_anew_has_none_of_the_old_versions() -> None:
    def listed(release: str) -> Service:
        return service(deployments=[builders.deployment(2, release=release)])

    assert listed_records({2: past(2)}, listed("r2")) == {2: past(2)}
    assert listed_records({2: past(2)}, listed("of-the-new-service")) == {}
    assert listed_records({2: past(2)}, service()) == {}


def test_the_tag_of_an_image_is_on_record_with_its_version() -> None:
    [own] = made(replace(IMAGE, tag="v3"), progress())

    assert own.tag == "v3"
    assert own.source.tag == "v3"
