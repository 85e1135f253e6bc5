"""What follows from a service that really behaves so: its log diagnosed, its URL watched, its
versions deployed again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightgate.aws.http_probe import ask
from lightgate.aws.lightsail import Lightsail
from lightgate.deployment.redeploy import redeploy
from lightgate.diagnosis.app_log import read_app_log
from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.gate.gate_report import NO_GATE_REPORT
from lightgate.spec.health_rules import HealthRules
from lightgate.verification.health import (
    WatchProgress,
    WatchStatus,
    add_check,
    judge_watch,
    probes_of,
    problem_of,
)
from tests.emulator.emulator import Emulator, Service
from tests.emulator.images import web
from tests.support import watch_period
from tests.support.failed_release import symptoms

ABSENT = {"image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/web:absent"}
CRASH = "import sys; print('starting', flush=True); import weather"
READ = replace(watch_period.READ, path="/", latency=timedelta(seconds=10))
RULES = replace(watch_period.RULES, period=timedelta(), read=READ)


def diagnosed(service: Service, version: int) -> Diagnosis:
    log = read_app_log("web", service.log("web"), version=version, release="none")
    return diagnose(symptoms(evidence=NO_GATE_REPORT, logs={"web": log}))


def watched(
    service: Service, version: int, rules: HealthRules = RULES
) -> tuple[WatchStatus, WatchProgress]:
    """Check the health without intervals until the watch period has ended."""
    now = datetime.now(UTC)
    seen, status = WatchProgress(began_at=now), WatchStatus.WATCHING
    while status is WatchStatus.WATCHING:
        seen = add_check(
            seen,
            rules,
            Lightsail(service.api, service.api, lambda: datetime.now(UTC)).service(service.name),
            version=version,
            marker=None,
            at=now,
            problems={
                name: problem_of(probe, ask(service.url, probe))
                for name, probe in probes_of(seen, rules).items()
            },
        )
        status = judge_watch(seen, rules, now)
    return status, seen


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("name", "container", "kind", "evidence"),
    [
        ("absent", ABSENT, FailureClass.IMAGE_PULL, "Started 1 new node (3 in total), Canceled"),
        (
            "missing-module",
            web("v1", "python3", "-c", CRASH),
            FailureClass.APP_CRASH,
            "ModuleNotFoundError: No module named 'weather'",
        ),
        ("sick", web(SICK="1"), FailureClass.HEALTH_CHECK, "listening on 8000"),
    ],
)
def test_the_log_of_a_failed_deployment_is_diagnosed(
    name: str, container: dict[str, Any], kind: FailureClass, evidence: str, emulator: Emulator
) -> None:
    hurry = {"activation_limit": 600} if kind is FailureClass.HEALTH_CHECK else {}
    service = emulator.service(f"failed-{name}", **hurry)
    version = service.deploy({"web": {**web(), **container}}, "web", successCodes="200")

    assert service.ended(version) == "FAILED"
    found = diagnosed(service, version)
    assert (found.kind, found.evidence) == (kind, evidence)


def test_a_healthy_version_passes_and_a_replaced_one_does_not(
    emulator: Emulator,
) -> None:
    service = emulator.service("watched")
    good = service.deploy({"web": web("v1")}, "web")
    assert service.ended(good) == "ACTIVE"
    passed, _ = watched(service, good)

    later = service.deploy({"web": web("v2")}, "web")
    assert service.ended(later) == "ACTIVE"
    lost, _ = watched(service, good)

    assert passed is WatchStatus.GOOD
    assert lost is WatchStatus.REPLACED


def test_a_version_with_wrong_answers_fails_after_three_health_checks(emulator: Emulator) -> None:
    service = emulator.service("wrong-answer")
    version = service.deploy({"web": web("v1")}, "web")
    assert service.ended(version) == "ACTIVE"
    write = replace(READ, method="POST", path="/echo", body="{}", success_codes="201")
    rules = replace(RULES, period=timedelta(minutes=2), write=write)

    status, seen = watched(service, version, rules)

    assert (status, seen.total) == (WatchStatus.FAILED, 3)
    assert seen.problem == "POST /echo returned 200 (expected 201)"


def test_a_version_is_deployed_again_as_lightsail_shows_it(emulator: Emulator) -> None:
    service = emulator.service("again")
    first = {**web("v1", COLOUR="green", LIGHTGATE_RELEASE="r1")}
    service.ended(service.deploy({"web": first}, "web", path="/env"))
    service.ended(service.deploy({"web": web("v2")}, "web"))
    listed = service.api.get_container_service_deployments(serviceName="again")["deployments"]
    [shown] = [one for one in listed if one["version"] == 1]

    again = redeploy("again", shown, {"LIGHTGATE_RELEASE": "r2-back"}, {})
    service.api.create_container_service_deployment(**again.request)

    assert service.ended(3) == "ACTIVE"
    assert service.get()[1] == "v1"
    environment = service.get("env")[1]
    assert '"COLOUR": "green"' in environment
    assert '"LIGHTGATE_RELEASE": "r2-back"' in environment
    now = service.read()["currentDeployment"]
    assert now["publicEndpoint"] == shown["publicEndpoint"]
