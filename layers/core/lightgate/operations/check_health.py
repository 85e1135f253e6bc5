"""The health checks of a version, for the steps that verify one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lightgate.aws.http_probe import longest as longest_answer
from lightgate.deployment.status import Service
from lightgate.errors import RefusedError, UnreachableError
from lightgate.gate.log_lines import events, moment_of
from lightgate.release.poll_interval import wait_seconds
from lightgate.runtime import Runtime
from lightgate.spec.health_rules import HealthRules, Probe, check_interval, health_rules
from lightgate.spec.keys import AppSpec
from lightgate.verification.health import (
    HttpAnswer,
    WatchProgress,
    WatchStatus,
    add_check,
    judge_watch,
    probes_of,
    problem_of,
    rules_without_own_spec,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The version to check. `marker` and `digest` are those of its deployment, if known.

    The starts of `containers` are counted if the app has no public URL.
    `open_variables` are the variables of each container that are known to be no secrets.
    """

    version: int
    marker: str | None
    digest: str | None
    rules: HealthRules
    containers: Sequence[str]
    open_variables: Mapping[str, Sequence[str]]


def new_version(version: int, spec: AppSpec, *, marker: str, digest: str | None) -> Subject:
    """A version that has never been live: it gets the whole watch period."""
    return Subject(
        version=version,
        marker=marker,
        digest=digest,
        rules=health_rules(spec),
        containers=tuple(spec.containers),
        open_variables=spec.open_variables(),
    )


def old_version(version: int, spec: AppSpec, service: Service, *, digest: str | None) -> Subject:
    """A version that was live before, or repeats one: it gets no watch period.

    `spec` is the one by which it was deployed. Without a `digest` that spec is unknown, and `spec`
    is another one: then only its time limits and counts apply.
    """
    shown = service.version_of(version)
    if shown is None:
        raise LookupError(f"the service does not list version {version}")
    rules = health_rules(spec).at_once()
    return Subject(
        version=version,
        marker=shown.release,
        digest=digest,
        rules=rules if digest is not None else rules_without_own_spec(rules, shown.endpoint),
        containers=tuple(spec.containers),
        open_variables=spec.open_variables() if digest is not None else {},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheckResult:
    """The state of the watch period after a check, and the seconds until the next one."""

    status: WatchStatus
    watched: WatchProgress
    poll_seconds: int


# How long the checks of one call may take. The time limit of the function is 90 seconds, and the
# rest of it is for what the step asks AWS beside the app.
_TIME_FOR_CHECKS = timedelta(seconds=60)


def watch_health(
    subject: Subject,
    service: Service,
    before: WatchProgress | None,
    runtime: Runtime,
    read_again: Callable[[], Service],
) -> HealthCheckResult:
    """Check the version once, and then as often as the next check certainly fits into this call.

    To wait ten seconds within a function costs less than three more transitions and a call. A call
    that is cut off loses its checks, and they are made again. If AWS does not answer between two
    checks, those so far count.
    """
    rules, began = subject.rules, runtime.now()
    found = _check_health(subject, service, before, runtime)
    pause = check_interval(rules)
    while found.status is WatchStatus.WATCHING:
        if runtime.now() - began + pause + _longest_check(found.watched, rules) > _TIME_FOR_CHECKS:
            break
        runtime.pause(pause)
        try:
            found = _check_health(subject, read_again(), found.watched, runtime)
        except (RefusedError, UnreachableError) as error:
            runtime.logger.warning("the checks of this call end early", why=str(error))
            break
    return found


def _longest_check(seen: WatchProgress, rules: HealthRules) -> timedelta:
    probes = probes_of(seen, rules).values()
    return sum((longest_answer(probe.latency) for probe in probes), timedelta())


def _check_health(
    subject: Subject, service: Service, before: WatchProgress | None, runtime: Runtime
) -> HealthCheckResult:
    """Call the app once, and judge it by this check and those `before`.

    A repetition after a lost answer only calls the app once more.
    """
    rules, now = subject.rules, runtime.now()
    seen = before or WatchProgress(began_at=now)
    checks = seen.checks.resumed(now, pause=check_interval(rules))
    problems: dict[str, str | None] = {}
    slowest = timedelta()
    for name, probe in probes_of(seen, rules).items():
        if any(problems.values()):
            # After a failed read, no write: and two time limits would be too long for one step.
            break
        asked = probe.for_release(subject.marker, subject.digest)
        answer = _ask(service, asked, runtime)
        problems[name] = _masked(problem_of(asked, answer), subject, service, runtime)
        slowest = max(slowest, answer.took)
    found = add_check(
        seen,
        rules,
        service,
        version=subject.version,
        marker=subject.marker,
        problems=problems,
        at=now,
        slowest=slowest,
        restarts=_restarts(subject, service, seen.began_at, runtime),
    )
    ended = runtime.now()
    watched = replace(found, checks=checks.ended(ended))
    return HealthCheckResult(
        status=judge_watch(watched, rules, ended),
        watched=watched,
        poll_seconds=wait_seconds(check_interval(rules)),
    )


def _ask(service: Service, probe: Probe, runtime: Runtime) -> HttpAnswer:
    if service.url is not None and not service.disabled:
        return runtime.ask(service.url, probe)
    is_disabled = f"the container service {service.name} is disabled"
    error = is_disabled if service.disabled else "the service shows no public URL"
    return HttpAnswer(status=None, headers={}, body=b"", took=timedelta(), error=error)


def _masked(
    problem: str | None, subject: Subject, service: Service, runtime: Runtime
) -> str | None:
    """The problem without the app's secrets: it may quote what the app has answered."""
    if problem is None:
        return None
    mask = runtime.lightsail.mask(service.name, subject.marker, subject.open_variables)
    return mask.text(problem)


def _restarts(
    subject: Subject, service: Service, began_at: datetime, runtime: Runtime
) -> int | None:
    """How often a container of the version has started since then; None if unknown.

    Counted only if there is no URL: else the answers of the app say more.
    """
    if subject.rules.read is not None or subject.marker is None:
        return None
    starts = [
        sum(
            event["event"] == "open" and _is_since(event.get("at"), began_at)
            for event in events(
                subject.marker,
                container,
                runtime.lightsail.gate_lines(service.name, container, began_at),
            )
        )
        for container in subject.containers
    ]
    return max(starts, default=0)


def _is_since(value: object, began_at: datetime) -> bool:
    moment = moment_of(value)
    return moment is not None and datetime.fromisoformat(moment) >= began_at
