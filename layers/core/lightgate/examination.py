"""Looking into a release that did not succeed, before it is settled: what is behind it.

Only Settle does this, at the end of an execution, because only it may read what the app has
written. Whatever goes wrong here costs people an explanation, and never the outcome.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

from lightgate.aftermath import Verified
from lightgate.deployment import Service
from lightgate.diagnosis.app_log import AppLog
from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.gate_waits import Wait
from lightgate.diagnosis.puller import Puller
from lightgate.diagnosis.symptoms import FailureKind, Symptoms
from lightgate.errors import LightgateError, RefusalCode
from lightgate.gate_log import NO_EVIDENCE, Evidence, events, plain_text
from lightgate.hearing import listen
from lightgate.permit import VoidCause
from lightgate.release import Kind, Release
from lightgate.runtime import Json, Runtime
from lightgate.settlement import requested_app, why_not_permitted, words_of
from lightgate.versions import may_have_changed

# Settling itself needs some of the function's minute.
PATIENCE = timedelta(seconds=25)
_STEPS = ("admission", "snapshot", "deployment")
_LONGEST_NAME = 100
_MOST_MIGRATIONS = 200


def examine(state: Json, runtime: Runtime) -> Json:
    """The diagnosis as `failure`, None without one, and the migrations that were `planned`."""
    symptoms = _told(state)
    if symptoms is None:
        return {"failure": None, "planned": []}
    names: Sequence[str] = ()
    if "version" in state.get("deployment", {}):
        look = _Look(symptoms, state, runtime)
        look.take()
        symptoms, names = look.symptoms, look.planned
    diagnosis = diagnose(symptoms)
    runtime.logger.info("the release is diagnosed", kind=diagnosis.kind.value)
    # What was refused before anything was deployed says by itself why.
    has_said_all = not symptoms.service and diagnosis.kind is FailureKind.UNKNOWN
    failure = None if has_said_all else diagnosis.to_json()
    return {"failure": failure, "planned": list(names)}


def _told(state: Json) -> Symptoms | None:
    """What the execution itself tells of a failure; None if it tells of none."""
    deployment, release = state.get("deployment", {}), state.get("admission", {}).get("release", {})
    statuses = {step: state.get(step, {}).get("status") for step in _STEPS}
    known = Symptoms(
        app=release.get("app") or requested_app(state["request"]),
        service=release.get("service", ""),
        repository=release.get("repository", ""),
        digest=release.get("digest"),
        rollback_to=release.get("rollbackTo"),
        command=release.get("command"),
        evidence=Evidence.from_json(deployment["gate"]) if "gate" in deployment else NO_EVIDENCE,
        gates=tuple(release.get("gates", ())),
        wait=_wait(deployment),
        refusal_cause=_cause(deployment),
        logs={},
    )
    refused = [step for step, status in statuses.items() if status == "REFUSED"]
    if refused:
        answer = state[refused[0]]
        return replace(
            known,
            service="",
            error=" ".join(answer["reasons"]),
            refusal=RefusalCode(answer["code"]) if "code" in answer else None,
        )
    if {"SUPERSEDED", "LOST", "SETTLED"}.intersection(statuses.values()):
        return None
    if "error" in state:
        return replace(known, error=words_of(state["error"]))
    if statuses["deployment"] in ("FAILED", "OVERDUE"):
        return known
    verified = Verified.from_json(state["verification"]) if "verification" in state else None
    if verified is not None and verified.is_bad(deployment["version"]):
        return replace(known, watch=verified.shown)
    return None


def _cause(deployment: Json) -> VoidCause | None:
    told = deployment.get("refusalCause")
    return None if told is None else VoidCause(told)


def _wait(deployment: Json) -> Wait | None:
    """What the gate that failed was waiting for, or else the first that waited at all."""
    waits = [Wait.from_json(one) for one in deployment.get("waits", ())]
    failure = (deployment.get("gate") or {}).get("failure") or {}
    own = [wait for wait in waits if wait.container == failure.get("container")]
    return next(iter([*own, *waits]), None)


class _Look:
    """What is found out step by step, so that one that fails leaves the others to be used."""

    def __init__(self, symptoms: Symptoms, state: Json, runtime: Runtime) -> None:
        self._release = Release.from_json(state["admission"]["release"])
        self._deployment = state["deployment"]
        changed = may_have_changed(self._release, self._deployment)
        self.symptoms = replace(symptoms, may_have_changed=changed)
        self.planned: Sequence[str] = ()
        self._runtime = runtime
        self._service: Service | None = None

    def take(self) -> None:
        """Carry out every step that there is time for; what was not is told."""
        steps: dict[str, Callable[[], None]] = {
            "the container service": self._look_at_the_service,
            "the reports of its gates": self._read_the_gates,
            "the logs of its containers": self._read_the_logs,
            "the policy of the repository": self._read_the_policy,
        }
        missing = dict(steps)

        def carry_out() -> None:
            for what, step in steps.items():
                try:
                    step()
                except Exception as error:  # noqa: BLE001 - whatever it is, Settle has to go on
                    self._tell(what, error)
                else:
                    del missing[what]

        # A call that hangs must not take Settle with it.
        thread = Thread(target=carry_out, daemon=True)
        thread.start()
        thread.join(PATIENCE.total_seconds())
        self._know(unread=(*self.symptoms.unread, *missing))

    def _look_at_the_service(self) -> None:
        service = self._runtime.lightsail.service(self._release.service)
        shown = service.deployment_of(self._release.id)
        self._know(
            nodes=service.scale,
            endpoint=shown.endpoint if shown else None,
            is_disabled=service.disabled,
        )
        self._service = service

    def _read_the_gates(self) -> None:
        release = self._release
        self._know(no_permit=why_not_permitted(release, self._runtime))
        if release.kind is not Kind.IMAGE:
            return
        heard = listen(
            release, datetime.fromisoformat(self._deployment["createdAt"]), self._runtime
        )
        names: dict[str, None] = {}
        for gate, lines in heard.lines.items():
            names |= dict.fromkeys(planned(release.id, gate, lines))
        self.planned = tuple(names)[:_MOST_MIGRATIONS]

    def _read_the_logs(self) -> None:
        lightsail, release = self._runtime.lightsail, self._release
        shown = self._seen_service().deployment_of(release.id)
        if shown is None:
            raise LookupError("the service does not show the deployment")
        logs: dict[str, AppLog | None] = {}
        found = lightsail.app_logs(release.service, shown, release.open_variables)
        for container, log in found.items():
            logs[container] = log if isinstance(log, AppLog) else None
            if not isinstance(log, AppLog):
                self._tell(f"the log of {container}", log)
        self._know(logs=logs)

    def _read_the_policy(self) -> None:
        role = self._seen_service().puller_role
        policy = role and self._runtime.registry.policy(self._release.repository)
        self._know(puller=Puller(role=role, policy=policy))

    def _seen_service(self) -> Service:
        if self._service is None:
            raise LookupError("the service was not seen")
        return self._service

    def _know(self, **found: Any) -> None:  # noqa: ANN401 - the symptoms' own types
        self.symptoms = replace(self.symptoms, **found)

    def _tell(self, what: str, error: Exception) -> None:
        # The text of any other error may quote what was read.
        why = str(error) if isinstance(error, LightgateError) else type(error).__name__
        self._runtime.logger.warning("a failure is not looked into", what=what, error=why)


def planned(release: str, gate: str, lines: Iterable[str]) -> Iterator[str]:
    """The migrations that the gate has told to be pending, at any time."""
    for event in events(release, gate, lines):
        told = event.get("migrations") if event["event"] == "plan" else None
        for migration in told if isinstance(told, list) else []:
            if isinstance(migration, Mapping) and (
                name := plain_text(migration.get("name"), _LONGEST_NAME)
            ):
                yield name
