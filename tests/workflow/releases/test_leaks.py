"""No error of a step that handles secrets shows any of them, wherever its text gets to.

The slow matrix adds every kind of error that a client raises to the few of each origin.
"""

import json
from collections.abc import Iterator, Sequence

import pytest

from tests.component.leaks import KINDS, WORDS, Border, Json, rendered
from tests.workflow.releases.test_failed import crash
from tests.workflow.reporting_gates import released, told_plan
from tests.workflow.stepper import Stepper
from tests.workflow.tracing import Traces, tracing
from tests.workflow.world import APP, World

CREATE = ("lightsail", "CreateContainerServiceDeployment")
SIGNING = ("SecretAccessKey", "SessionToken")


@pytest.fixture
def border(canaries: World, monkeypatch: pytest.MonkeyPatch) -> Border:
    assert canaries.lightsail.serving(APP)
    return Border(monkeypatch)


@pytest.fixture
def traces(border: Border, monkeypatch: pytest.MonkeyPatch) -> Iterator[Traces]:
    """What the tracer sends, which sees all errors of the border."""
    assert not border.calls
    with tracing(monkeypatch) as found:
        yield found


class WatchProgress:
    """A step that is called again and again, while one call of AWS after the other fails."""

    def __init__(self, world: World, border: Border, function: str, event: Json) -> None:
        self.world, self.border = world, border
        self._function, self._event = function, event
        before = len(border.calls)
        border.failing, border.kind = {CREATE}, "service"
        self.shown = [self._call()]
        self.calls = list(dict.fromkeys(border.calls[before:]))

    def fail_each(self, kind: str) -> None:
        for call in self.calls:
            # Once there is a deployment, nothing else would be called any more.
            self.border.failing, self.border.kind = {call, CREATE}, kind
            self.shown.append(self._call())

    def _call(self) -> str:
        try:
            return json.dumps(self.world.functions.call(self._function, self._event))
        except Exception as error:  # noqa: BLE001 - as Lambda does
            return rendered(error)

    def check(self, traces: Traces) -> None:
        """Nothing of a secret is anywhere."""
        signing = [
            answer["Credentials"][name]
            for operation, answer in self.border.answers
            if operation == "AssumeRole"
            for name in SIGNING
        ]
        environments = [
            container.environment.get("LIGHTGATE_MAILBOX", "")
            for deployment in self.world.lightsail.services[APP].service.deployments
            for container in deployment.containers.values()
        ]
        signed = [json.loads(text)["signatures"].values() for text in environments if text]
        signatures = [one for each in signed for one in each]
        for text in (*self.shown, self.world.functions.log, traces.text):
            for word in (*WORDS, *signing, *signatures, "X-Amz-Signature"):
                assert word not in text


def event_of(world: World, patch: pytest.MonkeyPatch, state: str, request: Json) -> Json:
    """What the state gives to its function."""
    return Stepper(world, patch).start(request, "watched").run_to(state).task_input()


# One of each origin: AWS, a code that is no code, our own parameters, an answer.
FEW = ("modelled", "a code that is a text", "wrong parameters", "answer that cannot be parsed")
EACH_KIND = pytest.mark.parametrize(
    "kinds", [FEW, pytest.param(tuple(KINDS), marks=pytest.mark.slow)], ids=["few", "all"]
)


@EACH_KIND
def test_no_error_of_deploy_shows_a_secret(
    canaries: World,
    border: Border,
    traces: Traces,
    monkeypatch: pytest.MonkeyPatch,
    kinds: Sequence[str],
) -> None:
    event = event_of(canaries, monkeypatch, "Deploy", {"app": APP})
    deploy = WatchProgress(canaries, border, "deploy", event)

    for kind in kinds:
        deploy.fail_each(kind)

    assert {service for service, _ in deploy.calls} >= {
        *("dynamodb", "lightsail", "ssm", "secretsmanager", "ecr", "s3", "sts"),
    }
    deploy.check(traces)
    assert canaries.lightsail.deployments(APP) == {1: "ACTIVE"}


@pytest.mark.slow
@EACH_KIND
def test_no_error_of_roll_back_shows_a_secret(
    canaries: World,
    border: Border,
    traces: Traces,
    monkeypatch: pytest.MonkeyPatch,
    kinds: Sequence[str],
) -> None:
    assert canaries.release(course=released()).status == "SUCCEEDED"
    canaries.site.bad = {3: "Internal Server Error"}
    canaries.lightsail.courses.append(released())
    event = event_of(canaries, monkeypatch, "RollBack", {"app": APP, "reason": "the second"})
    roll_back = WatchProgress(canaries, border, "roll_back", event)

    for kind in kinds:
        roll_back.fail_each(kind)

    assert {service for service, _ in roll_back.calls} >= {
        *("dynamodb", "ecr", "lightsail", "ssm", "secretsmanager"),
    }
    roll_back.check(traces)
    assert canaries.lightsail.serving(APP) == 3


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("state", "function"),
    [
        ("Admit", "admit"),
        ("CheckDeployment", "check_deployment"),
        ("VerifyRelease", "verify_release"),
        ("RecordOutcome", "record_outcome"),
    ],
)
def test_no_error_of_a_step_that_sees_an_environment_shows_a_secret(
    canaries: World,
    border: Border,
    traces: Traces,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    function: str,
) -> None:
    assert canaries.release(course=released()).status == "SUCCEEDED"
    canaries.lightsail.courses.append(crash(told_plan("a.0002"), "a.0002"))
    event = event_of(canaries, monkeypatch, state, {"app": APP, "reason": "the second"})
    step = WatchProgress(canaries, border, function, event)

    for kind in ("modelled", "unknown", "wrong parameters", "answer that cannot be parsed"):
        step.fail_each(kind)

    assert ("lightsail", "GetContainerServiceDeployments") in border.calls
    step.check(traces)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("kind", ["modelled", "answer that cannot be parsed"])
def test_a_logged_traceback_shows_no_secret(
    canaries: World, border: Border, traces: Traces, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    canaries.lightsail.courses.append(released())
    walk = Stepper(canaries, monkeypatch).start({"app": APP}, "stopped")
    walk.run_to("CheckDeployment").stop()
    border.failing, border.kind = {("lightsail", "GetContainerServiceDeployments")}, kind

    answer = canaries.functions.call("reconcile", {})

    assert answer["troubled"] == [APP]
    assert "GetContainerServices answers" in canaries.functions.log
    for text in (canaries.functions.log, traces.text):
        assert not [word for word in WORDS if word in text]


def test_a_trace_says_which_call_failed_and_how(
    canaries: World, border: Border, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = event_of(canaries, monkeypatch, "Deploy", {"app": APP})
    deploy = WatchProgress(canaries, border, "deploy", event)

    deploy.fail_each("modelled")

    causes = [
        (part["aws"]["operation"], exception["message"])
        for part in traces.sent
        if "aws" in part and part.get("cause")
        for exception in part["cause"]["exceptions"]
    ]
    code = "An error occurred (InvalidInputException) when calling the {} operation"
    # Deploy does not write to the table again once the table has its answer.
    failed = {operation for service, operation in deploy.calls if service != "dynamodb"}
    assert {(operation, code.format(operation)) for operation in failed} <= set(causes)
    assert {part["name"] for part in traces.sent} >= {"## deploy", "lightsail", "ssm"}


def test_an_error_of_deploy_says_what_failed_and_where(
    canaries: World, border: Border, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = event_of(canaries, monkeypatch, "Deploy", {"app": APP})
    border.failing, border.kind = {("ecr", "PutImage")}, "access denied"

    answer, is_error = canaries.functions.invoke("deploy", json.dumps(event))

    assert is_error
    assert answer["errorType"] == "UnexpectedError"
    assert answer["errorMessage"].startswith("AccessDeniedException of PutImage at ecr.py:")
    assert any("build_deployment.py" in frame for frame in answer["stackTrace"])
    assert traces.sent
