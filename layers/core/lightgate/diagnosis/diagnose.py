"""The diagnosis of a release that failed: its class, the line that shows it, and what to do.

A pure function of the symptoms. The rule that explains most comes first: the error that stopped
the release, then its gate, which knows why it stayed shut, then the app behind it.
"""

import re
from dataclasses import replace

from lightgate.diagnosis.app_failure import (
    QUOTED_LINES,
    diagnose_app,
    last_words,
    telling_line,
    wrong_architecture,
)
from lightgate.diagnosis.app_log import AppLog
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.gate_failure import diagnose_gate
from lightgate.diagnosis.gate_words import because
from lightgate.diagnosis.log_causes import cause_of, find_cause
from lightgate.diagnosis.log_patterns import raised_by_request
from lightgate.diagnosis.symptoms import Diagnosis, Symptoms
from lightgate.errors import RefusalCode
from lightgate.gate.gate_report import Failure, GateCause, Phase
from lightgate.gate.log_lines import plain_text

_BUSY = re.compile(
    r"Throttling|Rate exceeded|request rate has been exceeded|TooManyRequests|ServiceUnavailable"
    r"|Please wait for it to complete|Please try again in a few minutes"
)
# Without a deployment no log has the cause.
FIND_THE_STEP = "To see the failed step, open the execution in the Step Functions console."


def diagnose(seen: Symptoms) -> Diagnosis:
    """Why the release failed, or UNKNOWN if the symptoms do not show it.

    The diagnosis names each log that could not be read, because it may hold another cause.
    """
    found = (
        _diagnose_error(seen)
        or diagnose_gate(_with_refused_permit(seen))
        or (_diagnose_watch(seen) if seen.watch is not None else diagnose_app(seen))
        or _unknown(seen)
    )
    logs = [f"the log of {name}" for name, log in seen.logs.items() if log is None]
    unread = [*logs, *seen.unread]
    if not unread:
        return found
    return replace(found, what=f"{found.what} Could not be read: {', '.join(unread)}.")


def _with_refused_permit(seen: Symptoms) -> Symptoms:
    """The symptoms with the refusal of a permit as the failure, if its gate reported none."""
    evidence = seen.evidence
    if seen.no_permit is None or evidence.failure is not None:
        return seen
    if evidence.phase is not Phase.WAITING:  # a gate that is silent has not asked either
        return seen
    failure = Failure(
        container=seen.wait.container if seen.wait is not None else "",
        cause=GateCause.PERMIT,
        error=seen.no_permit.reason or "",
        migration=None,
        exit_code=None,
        last_lines=(),
    )
    return replace(seen, evidence=replace(evidence, phase=Phase.FAILED, failure=failure))


def _diagnose_error(seen: Symptoms) -> Diagnosis | None:
    """What Lightgate itself ran into."""
    error = plain_text(seen.error)
    if error is None:
        return None
    if _is_about_a_busy_platform(seen.refusal, error):
        return Diagnosis(
            kind=FailureClass.PLATFORM_BUSY,
            what="AWS was busy, or refused more calls.",
            evidence=error,
            next_action=f"Try again later: {seen.start_again}",
        )
    if seen.refusal is RefusalCode.ARCHITECTURE:
        return wrong_architecture("The image is for another architecture.", error)
    return None


def _is_about_a_busy_platform(refusal: RefusalCode | None, error: str) -> bool:
    """A refusal has its code. Of any other error AWS's own words are all there is."""
    if refusal is not None:
        return refusal is RefusalCode.SERVICE_BUSY
    return _BUSY.search(error) is not None


def _diagnose_watch(seen: Symptoms) -> Diagnosis:
    log = seen.logs.get(_container(seen)) or AppLog()
    raised = raised_by_request(log.lines, seen.endpoint.path) if seen.endpoint else None
    cause = cause_of(raised) if raised else find_cause(log.own_words, ends_the_app=False)
    if seen.is_disabled:
        action = (
            f"Enable the container service {seen.service} in the Lightsail console. Then "
            "check whether the app works."
        )
    elif cause is not None:
        action = seen.then(cause.action, cause.remedy)
    else:
        action = _read_the_log(seen, *filter(None, [raised or telling_line(log)]))
    return Diagnosis(
        kind=FailureClass.WATCH_FAILED,
        what=f"The app was unhealthy after it became active.{because(cause)}",
        evidence=raised or (cause.line if cause is not None else plain_text(seen.watch)),
        next_action=action,
    )


def _unknown(seen: Symptoms) -> Diagnosis:
    log = seen.logs.get(_container(seen)) or AppLog()
    evidence = plain_text(seen.error) or last_words(log) or next(reversed(seen.system_lines), None)
    return Diagnosis(
        kind=FailureClass.UNKNOWN,
        what="The cause could not be determined.",
        evidence=evidence,
        next_action=_read_the_log(seen, *(log.own_words[-QUOTED_LINES:] or seen.system_lines[-1:])),
    )


def _container(seen: Symptoms) -> str:
    if seen.endpoint is not None:
        return seen.endpoint.container
    apps = [name for name in seen.logs if name not in seen.gates]
    return next(iter([*apps, *seen.logs]), "CONTAINER")


def _read_the_log(seen: Symptoms, *evidence: str) -> str:
    command = seen.log_command(_container(seen), *evidence)
    if command is None:
        return FIND_THE_STEP
    is_filtered = " (without --filter-pattern, all of it)" * ("--filter-pattern" in command)
    return f"Read the app's log{is_filtered}: {command}"
