"""Looking into a release that failed, and what becomes of it when that itself goes wrong."""

import shlex
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lightgate.deployment.status import Deployment, Status
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.puller import statement
from lightgate.errors import RefusalCode, RefusedError
from lightgate.gate.report_reader import read_gate_report
from lightgate.names import RELEASE_VARIABLE
from lightgate.operations import investigate_failure as investigation
from lightgate.operations.collect_evidence import collect_evidence
from lightgate.runtime import Runtime, Settings
from lightgate.state import Facts, Stop, StopStatus
from lightgate.verification.health import WatchStatus
from lightgate.verification.verified import Verified
from tests.component.cloud import Cloud
from tests.component.lightsail_service import GET_LOG, GET_SERVICES, Course
from tests.support.builders import IMAGE, admission, bare_state, gate_line, progress
from tests.support.failed_release import NO_MODULE

NAME = "crops-backend"
SECRET = "hunter2-of-the-tests"
SYSTEM = "[deployment:1] "


@pytest.fixture
def runtime(cloud: Cloud) -> Runtime:
    cloud.lightsail.add(NAME)
    cloud.client("ecr").create_repository(repositoryName=NAME)
    cloud.client("s3").create_bucket(Bucket="mailboxes")
    environment = {"LIGHTGATE_MAILBOX_BUCKET": "mailboxes"}
    return Runtime(Settings.from_environment(environment))


def failed(
    cloud: Cloud, runtime: Runtime, *lines: str, gate: Sequence[str] = (), **changes: Any
) -> Facts:
    """The facts of a release whose deployment has failed after the app has written these lines."""
    release = replace(IMAGE, asking_gates={})
    cloud.lightsail.courses.append(Course(ends="FAILED"))
    environment = {RELEASE_VARIABLE: release.id, "SECRET_KEY": SECRET}
    container = {"image": "registry/crops:1", "environment": environment, "ports": {"8000": "HTTP"}}
    made = runtime.lightsail.create_deployment(
        {
            "serviceName": NAME,
            "containers": {"web": container, "migrate": {**container, "ports": {}}},
            "publicEndpoint": {"containerName": "web", "containerPort": 8000},
        }
    )
    assert isinstance(made, Deployment)
    for line in lines:
        cloud.lightsail.logs.restore(NAME, "web", line, cloud.clock.now())
    for line in gate:
        cloud.lightsail.logs.restore(NAME, "migrate", line, cloud.clock.now())
    usual: dict[str, Any] = {
        "status": Status.FAILED,
        "version": made.version,
        "previous_version": None,
        "created_at": made.created_at,
        "gate": read_gate_report(release.id, {"migrate": gate}),
    }
    return Facts(
        state=bare_state(admission=admission(release), deployment=progress(**usual | changes))
    )


def investigate_failure(facts: Facts, runtime: Runtime) -> Facts:
    """What the step does: it collects the evidence, and looks into the failure with it."""
    return investigation.investigate_failure(facts, collect_evidence(facts, runtime), runtime)


def opened() -> str:
    return gate_line("succeeded", seconds=1, migrations=[])


def test_the_log_of_the_app_says_why_it_did_not_come_up(cloud: Cloud, runtime: Runtime) -> None:
    facts = failed(cloud, runtime, *NO_MODULE, f"with {SECRET}", gate=[opened()])

    found = investigate_failure(facts, runtime)

    assert found.diagnosis is not None
    assert found.diagnosis.kind == FailureClass.APP_CRASH
    assert found.diagnosis.evidence == "ModuleNotFoundError: No module named 'weather'"
    assert SECRET not in str(found)


def test_the_plan_of_the_gate_is_in_the_message(cloud: Cloud, runtime: Runtime) -> None:
    pending = [{"name": "crops.0002_a", "operations": []}, {"name": "crops.0003_b"}]
    plan = gate_line("plan", hash="h", count=2, **{"class": "compatible"}, migrations=pending)
    empty = gate_line("plan", hash="e", count=0, **{"class": "compatible"}, migrations=[])
    error = gate_line("failed", cause="exit", error="no such column", migration="crops.0003_b")

    found = investigate_failure(failed(cloud, runtime, gate=[plan, error, empty]), runtime)

    assert found.diagnosis is not None
    assert list(found.planned) == ["crops.0002_a", "crops.0003_b"]
    assert found.diagnosis.kind == FailureClass.MIGRATION_ERROR


@pytest.mark.parametrize("allowed", [True, False])
def test_the_policy_shows_whether_the_image_may_be_pulled(
    cloud: Cloud, runtime: Runtime, allowed: bool
) -> None:
    cloud.lightsail.let_pull(NAME)
    role = runtime.lightsail.service(NAME).puller_role
    assert role is not None
    policy = f'{{"Version": "2012-10-17", "Statement": [{statement(role)}]}}'
    if allowed:
        cloud.client("ecr").set_repository_policy(repositoryName=NAME, policyText=policy)
    started = [f"{SYSTEM}Started 1 new node"] * 3

    found = investigate_failure(failed(cloud, runtime, *started, f"{SYSTEM}Canceled"), runtime)

    assert found.diagnosis is not None
    assert found.diagnosis.kind == FailureClass.IMAGE_PULL
    assert ("does not let the service's role pull" in found.diagnosis.what) is not allowed


def test_the_command_in_the_message_prints_the_evidence_and_no_line_of_another_day(
    cloud: Cloud, runtime: Runtime
) -> None:
    yesterday = cloud.clock.now() - timedelta(days=1)
    cloud.lightsail.logs.restore(NAME, "web", "bye", yesterday)
    lines = [f"licence of {SECRET} expired", "bye"]

    found = investigate_failure(failed(cloud, runtime, *lines, gate=[opened()]), runtime).diagnosis

    assert found is not None
    assert found.evidence == "licence of *** expired | bye"
    assert SECRET not in found.next_action
    assert printed_by(found.next_action, cloud) == lines


def printed_by(action: str, cloud: Cloud) -> list[str]:
    """What Lightsail answers to the command that ends this advice."""
    words = shlex.split("aws " + action.partition("aws ")[2])
    assert words[:3] == ["aws", "lightsail", "get-container-log"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    answer = cloud.client("lightsail").get_container_log(
        serviceName=options["--service-name"],
        containerName=options["--container-name"],
        startTime=options["--start-time"],
        endTime=options["--end-time"],
        filterPattern=options["--filter-pattern"],
    )
    return [event["message"] for event in answer["logEvents"]]


@pytest.mark.parametrize(
    ("operation", "unread"),
    [
        (GET_LOG, "the log of web"),
        (GET_SERVICES, "the container service"),
    ],
)
def test_an_unreadable_source_is_reported_and_stops_nothing(
    cloud: Cloud, runtime: Runtime, operation: str, unread: str
) -> None:
    facts = failed(cloud, runtime, gate=[opened()])
    # Each call is tried four times.
    cloud.lightsail.fail(operation, *["broken"] * 8)

    found = investigate_failure(facts, runtime)

    assert found.diagnosis is not None
    assert found.diagnosis.kind == FailureClass.UNKNOWN
    assert unread in found.diagnosis.what.partition("Could not be read: ")[2]


def test_a_call_that_hangs_is_not_waited_for(
    cloud: Cloud, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.lightsail.let_pull(NAME)
    facts = failed(cloud, runtime, *NO_MODULE, gate=[opened()])
    hangs = threading.Event()
    monkeypatch.setattr(investigation, "_TIME_LIMIT", timedelta(seconds=1))
    monkeypatch.setattr(type(runtime.registry), "policy", lambda *_: hangs.wait(30))

    found = investigate_failure(facts, runtime)
    hangs.set()

    assert found.diagnosis is not None
    assert found.diagnosis.kind == FailureClass.APP_CRASH
    assert found.diagnosis.what.endswith("Could not be read: the policy of the repository.")


def test_a_failed_watch_period_is_diagnosed_with_its_problem(
    cloud: Cloud, runtime: Runtime
) -> None:
    facts = failed(cloud, runtime, gate=[opened()], status=Status.ACTIVE)
    bad = Verified(status=WatchStatus.FAILED, version=1, reason="GET / returned 500")

    found = investigate_failure(
        replace(facts, state=replace(facts.state, verification=bad)), runtime
    )

    assert found.diagnosis is not None
    assert found.diagnosis.kind == FailureClass.WATCH_FAILED
    assert found.diagnosis.evidence == "GET / returned 500"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (RefusalCode.ARCHITECTURE, FailureClass.ARCHITECTURE),
        (RefusalCode.SERVICE_BUSY, FailureClass.PLATFORM_BUSY),
        (RefusalCode.SPEC, None),
    ],
)
def test_a_refusal_is_diagnosed_only_where_it_does_not_say_it_all(
    runtime: Runtime, code: RefusalCode, kind: FailureClass | None
) -> None:
    answer = Stop.refused(RefusedError("in whatever words", code=code))

    failure = investigate_failure(Facts(state=bare_state(admission=answer)), runtime).diagnosis

    assert (failure and failure.kind) == kind


@pytest.mark.parametrize(
    "step", [{}, {"admission": Stop(status=StopStatus.SUPERSEDED, reasons=("x",))}]
)
def test_a_release_that_did_not_fail_is_not_investigated(
    cloud: Cloud, runtime: Runtime, step: dict[str, Any]
) -> None:
    facts = failed(cloud, runtime, status=Status.ACTIVE)
    facts = replace(facts, state=replace(facts.state, **step))
    cloud.lightsail.fail(GET_SERVICES, *["broken"] * 4)

    assert investigate_failure(facts, runtime) == facts


def test_an_unexpected_error_is_the_evidence(runtime: Runtime) -> None:
    error = {"Error": "States.TaskFailed", "Cause": '{"errorMessage": "Rate exceeded"}'}

    facts = Facts(state=bare_state(admission=admission(IMAGE), error=error))
    failure = investigate_failure(facts, runtime).diagnosis

    assert failure is not None
    assert failure.kind is FailureClass.PLATFORM_BUSY
    assert failure.evidence == "States.TaskFailed: Rate exceeded"
