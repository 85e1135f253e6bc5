"""Collect the symptoms of a failed release and diagnose them, before its outcome is recorded.

Only RecordOutcome does this, because only it may read the logs of the app. An error here costs the
diagnosis, and never the outcome.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any

from lightgate.deployment.status import Service, Status
from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.gate_waits import Wait
from lightgate.diagnosis.log_search import LogWindow
from lightgate.diagnosis.puller import Puller
from lightgate.diagnosis.symptoms import Symptoms
from lightgate.errors import LightgateError, joined
from lightgate.gate.gate_report import NO_GATE_REPORT
from lightgate.gate.log_lines import events, plain_text
from lightgate.migrations.plan import read_plans
from lightgate.operations.caught_error import words_of
from lightgate.operations.collect_evidence import Collected
from lightgate.operations.conclude_release import why_not_permitted
from lightgate.release.release import Release, ReleaseKind
from lightgate.release.unchecked_request import requested_app
from lightgate.rollback.version_history import may_have_changed
from lightgate.runtime import Runtime
from lightgate.state import DeploymentProgress, Facts, StopStatus

# Recording the outcome needs the rest of the function's minute.
_TIME_LIMIT = timedelta(seconds=25)
_LONGEST_NAME = 100
# Lightsail's own clocks need not agree to the second.
_CLOCK_MARGIN = timedelta(minutes=1)
_MOST_MIGRATIONS = 200


def investigate_failure(facts: Facts, collected: Collected | None, runtime: Runtime) -> Facts:
    """The facts with a diagnosis and the planned migrations, if the release has failed.

    `collected` is what gates and containers have written.
    """
    symptoms = _symptoms_of(facts)
    if symptoms is None:
        return facts
    names: Sequence[str] = ()
    count = 0
    if facts.release is not None and facts.deployment is not None:
        investigation = _Investigation(
            symptoms, facts.release, facts.deployment, collected or Collected(), runtime
        )
        investigation.run()
        symptoms, names = investigation.symptoms, investigation.planned
        count = max(investigation.planned_count, len(names))
    diagnosis = diagnose(symptoms)
    runtime.logger.info("the release is diagnosed", kind=diagnosis.kind.value)
    # A refusal before the deployment explains itself.
    has_said_all = not symptoms.service and diagnosis.kind is FailureClass.UNKNOWN
    shown = None if has_said_all else diagnosis
    return replace(facts, diagnosis=shown, planned=names, planned_count=count)


def _symptoms_of(facts: Facts) -> Symptoms | None:
    """The symptoms in the state of the execution; None if the release has not failed."""
    state, release, deployment = facts.state, facts.release, facts.deployment
    evidence = deployment.gate if deployment is not None else None
    known = Symptoms(
        app=release.app if release is not None else requested_app(state.request),
        execution=state.execution,
        service=release.service if release is not None else "",
        repository=release.repository if release is not None else "",
        digest=release.digest if release is not None else None,
        rollback_to=release.rollback_to if release is not None else None,
        command=release.command if release is not None else None,
        evidence=evidence or NO_GATE_REPORT,
        gates=release.gates if release is not None else (),
        wait=_wait(deployment),
        refusal_cause=deployment.refusal_cause if deployment is not None else None,
        logs={},
    )
    if (stop := state.stop) is not None:
        if stop.status is not StopStatus.REFUSED:
            return None
        return replace(known, service="", error=joined(stop.reasons), refusal=stop.code)
    if state.error is not None:
        return replace(known, error=words_of(state.error))
    if deployment is None:
        return None
    if deployment.status in (Status.FAILED, Status.OVERDUE):
        return known
    verified = state.verification
    if verified is not None and verified.is_bad(deployment.version):
        return replace(known, watch=verified.shown)
    return None


def _wait(deployment: DeploymentProgress | None) -> Wait | None:
    """The wait of the gate that failed, or else the first wait of any gate."""
    if deployment is None:
        return None
    failure = deployment.gate.failure if deployment.gate is not None else None
    own = [w for w in deployment.waits if failure is not None and w.container == failure.container]
    return next(iter([*own, *deployment.waits]), None)


class _Investigation:
    """Collects symptoms in several reads. A read that fails does not affect the others."""

    def __init__(
        self,
        symptoms: Symptoms,
        release: Release,
        deployment: DeploymentProgress,
        collected: Collected,
        runtime: Runtime,
    ) -> None:
        self._collected = collected
        self._release = release
        self._deployment = deployment
        changed = may_have_changed(release, deployment)
        window = LogWindow(
            since=deployment.created_at - _CLOCK_MARGIN, until=runtime.now() + _CLOCK_MARGIN
        )
        self.symptoms = replace(symptoms, may_have_changed=changed, window=window)
        self.planned: Sequence[str] = ()
        self.planned_count = 0
        self._runtime = runtime
        self._service: Service | None = None

    def run(self) -> None:
        """Make every read within the time limit, and note those that are missing."""
        steps: dict[str, Callable[[], None]] = {
            "the container service": self._read_the_service,
            "the permits of its gates": self._read_the_permits,
            "the policy of the repository": self._read_the_policy,
        }
        missing = dict(steps)

        def carry_out() -> None:
            for what, step in steps.items():
                try:
                    step()
                except Exception as error:  # noqa: BLE001 - whatever it is, RecordOutcome has to go on
                    self._log_failure(what, error)
                else:
                    del missing[what]

        # A call that hangs must not stop RecordOutcome.
        thread = Thread(target=carry_out, daemon=True)
        thread.start()
        thread.join(_TIME_LIMIT.total_seconds())
        self._note_the_migrations()
        self._add(
            logs=self._collected.logs,
            unread=(*self.symptoms.unread, *self._collected.unread, *missing),
        )

    def _read_the_service(self) -> None:
        service = self._runtime.lightsail.service(self._release.service)
        shown = service.deployment_of(self._release.id)
        self._add(
            nodes=service.scale,
            endpoint=shown.endpoint if shown else None,
            is_disabled=service.disabled,
        )
        self._service = service

    def _read_the_permits(self) -> None:
        self._add(no_permit=why_not_permitted(self._release, self._runtime))

    def _note_the_migrations(self) -> None:
        release, reports = self._release, self._collected.gates
        if release.kind is not ReleaseKind.IMAGE or reports is None:
            return
        names: dict[str, None] = {}
        for gate, lines in reports.lines.items():
            names |= dict.fromkeys(_planned(release.id, gate, lines))
            counts = [plan.count or 0 for plan in read_plans(release.id, gate, lines)]
            self.planned_count += max(counts, default=0)
        self.planned = tuple(names)[:_MOST_MIGRATIONS]

    def _read_the_policy(self) -> None:
        role = self._seen_service().puller_role
        policy = role and self._runtime.registry.policy(self._release.repository)
        self._add(puller=Puller(role=role, policy=policy))

    def _seen_service(self) -> Service:
        if self._service is None:
            raise LookupError("the service was not seen")
        return self._service

    def _add(self, **found: Any) -> None:  # noqa: ANN401 - the symptoms' own types
        self.symptoms = replace(self.symptoms, **found)

    def _log_failure(self, what: str, error: Exception) -> None:
        # The text of any other error may quote what was read.
        why = str(error) if isinstance(error, LightgateError) else type(error).__name__
        self._runtime.logger.warning("a symptom could not be read", what=what, error=why)


def _planned(release: str, gate: str, lines: Iterable[str]) -> Iterator[str]:
    """The migrations that the gate has reported as pending at any time."""
    for event in events(release, gate, lines):
        named = event.get("migrations") if event["event"] == "plan" else None
        for migration in named if isinstance(named, list) else []:
            if isinstance(migration, Mapping) and (
                name := plain_text(migration.get("name"), _LONGEST_NAME)
            ):
                yield name
