"""Why an app did not come up behind its gate, from what it and Lightsail have written."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator

from lightgate.deployment.status import Endpoint
from lightgate.diagnosis.app_log import CANCELED, TOO_LONG, AppLog
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.gate_failure import without_variable
from lightgate.diagnosis.log_causes import cause_of, find_cause
from lightgate.diagnosis.log_patterns import (
    Probed,
    health_checks,
    is_crash,
    is_of_a_driver,
    is_wrong_architecture,
    last_error,
    listening,
    missing_variable,
    raised_at_start,
    raised_by_request,
    refused_address,
)
from lightgate.diagnosis.log_rule import LogCause
from lightgate.diagnosis.puller import statement
from lightgate.diagnosis.symptoms import Diagnosis, Remedy, Symptoms
from lightgate.gate.evidence import exceptions, is_consequence
from lightgate.gate.gate_report import Phase
from lightgate.spec.success_codes import accepts

_STARTED = re.compile(r"Started (\d+) new nodes?")
QUOTED_LINES = 3
_SCRIPT = re.compile(r"\.\w+'?: exec format error|entrypoint", re.IGNORECASE)
_ABOUT_A_SCRIPT = (
    " If the program is a script, its first line may be missing, such as #!/bin/sh: add it instead."
)
_PULL = "aws lightsail get-container-services --service-name"


def diagnose_app(seen: Symptoms) -> Diagnosis | None:
    """None if neither the app nor Lightsail has written anything that explains it."""
    for rule in _RULES:
        if (diagnosis := rule(seen)) is not None:
            return diagnosis
    return None


def _read(seen: Symptoms) -> Iterator[tuple[str, AppLog]]:
    for container, log in seen.logs.items():
        if log is not None:
            yield container, log


def _architecture(seen: Symptoms) -> Diagnosis | None:
    for container, log in _read(seen):
        for line in [*log.own_words, log.exec_error or ""]:
            if is_wrong_architecture(line):
                return wrong_architecture(
                    f"A program in the image of {container} is not built for amd64.", line
                )
    return None


def wrong_architecture(what: str, line: str) -> Diagnosis:
    return Diagnosis(
        kind=FailureClass.ARCHITECTURE,
        what=what,
        evidence=line,
        next_action=(
            "Build the image with docker build --platform linux/amd64. Then push again."
            f"{_ABOUT_A_SCRIPT * (_SCRIPT.search(line) is not None)}"
        ),
    )


def _image(seen: Symptoms) -> Diagnosis | None:
    """Nothing of any container has ever run, and Lightsail has tried more than once or in silence.

    The version that serves may go on writing to the logs: only in that of a gate it has nothing
    left to say.
    """
    if None in seen.logs.values() or not seen.logs:
        return None
    has_run = any(
        log.starts or log.exec_error or (log.lines and container in (seen.gates or seen.logs))
        for container, log in _read(seen)
    )
    if has_run or seen.evidence.phase not in (Phase.SILENT, Phase.UNGATED):
        return None
    launches = _launches(seen)
    if CANCELED in seen.system_lines and launches > seen.nodes:
        why = "Lightsail stopped launching nodes"
        evidence = f"{_last_launch(seen)} ({launches} in total), {CANCELED}"
    elif not seen.system_lines and seen.puller is not None and seen.puller.is_allowed is False:
        # With a policy that names another role, Lightsail writes nothing at all.
        why, evidence = "Lightsail wrote nothing to the log", None
    else:
        return None
    what, action = _about_pulling(seen)
    return Diagnosis(
        kind=FailureClass.IMAGE_PULL,
        what=f"No container started, and {why}: {what}",
        evidence=evidence,
        next_action=action,
    )


def _last_launch(seen: Symptoms) -> str:
    return next(line for line in reversed(seen.system_lines) if _STARTED.fullmatch(line))


def _about_pulling(seen: Symptoms) -> tuple[str, str]:
    puller, repository = seen.puller, seen.repository
    if puller is not None and puller.role is None:
        return (
            "the service has no role to pull images from a private repository.",
            f"aws lightsail update-container-service --service-name {seen.service} "
            "--private-registry-access ecrImagePullerRole={isActive=true}, then add the role that "
            f"it gets to the policy of the repository {repository}.",
        )
    if puller is not None and puller.role is not None and puller.is_allowed is False:
        return (
            f"the policy of the repository {repository} does not let the service's role pull.",
            f"Add this statement to the policy of {repository}, beside what is in it: "
            f"{statement(puller.role)}",
        )
    if puller is not None and puller.is_allowed:
        return (
            "the service's role may pull from the repository. So the image may be missing or "
            "damaged, or its program exits without output.",
            f"Run the image of {repository} on your machine: docker run --platform linux/amd64.",
        )
    role = "ROLE" if puller is None or puller.role is None else puller.role
    where = f", with ecrImagePullerRole.principalArn of {_PULL} {seen.service} as ROLE"
    return (
        "most likely it may not pull the image. A program that cannot be run, or exits without "
        "output, looks the same.",
        f"Make sure that the policy of {repository} has this statement"
        f"{where if role == 'ROLE' else ''}: {statement(role)}",
    )


def _variable(seen: Symptoms) -> Diagnosis | None:
    for container, log in _read(seen):
        if found := missing_variable(log.own_words):
            return without_variable(seen, container, *found)
    return None


def _crash(seen: Symptoms) -> Diagnosis | None:
    """A line after which no app runs, or an app that was started again and again."""
    launches = _launches(seen)
    for container, log in _read(seen):
        at_start = raised_at_start(log.lines)
        by_requests = set(exceptions(log.lines)) - set(at_start)
        said = [line for line in log.own_words if line not in by_requests]
        said += [log.exec_error] if log.exec_error else []
        raised, line = list(_telling(at_start)), _crash_line(log)
        cause = find_cause(said, ends_the_app=True)
        if raised and (cause is None or not cause.comes_first):
            cause = find_cause(raised if is_of_a_driver(raised[-1]) else raised[-1:])
        is_again = log.starts > seen.nodes or (bool(raised) and launches > seen.nodes)
        has_crashed = line is not None or is_again
        if not has_crashed and (cause is None or not cause.ends_the_app):
            continue
        if cause is None and not raised:
            cause = find_cause(said)
        times = max(log.starts, launches)
        again = f"{times} times on {seen.nodes} node{'s' if seen.nodes > 1 else ''} "
        what = f"The app in {container} was started {again if is_again else ''}and did not "
        return _known(f"{what}keep running.", seen, cause) or Diagnosis(
            kind=FailureClass.APP_CRASH,
            what=f"{what}keep running.",
            evidence=raised[-1] if raised else line or next(reversed(log.own_words), None),
            next_action=seen.then(
                f"Run the command of {container} with this image and the app's variables on your "
                "machine, and correct it",
                Remedy.IMAGE,
            ),
        )
    return None


def _known_trouble(seen: Symptoms) -> Diagnosis | None:
    """A line that the live version may have written too, so that it explains nothing for sure."""
    for container, log in _read(seen):
        if (cause := find_cause(log.own_words, ends_the_app=False)) is not None:
            return _known(f"The app in {container} did not become healthy.", seen, cause)
    return None


def _known(what: str, seen: Symptoms, cause: LogCause | None) -> Diagnosis | None:
    if cause is None:
        return None
    return Diagnosis(
        kind=cause.kind,
        what=f"{what} {cause.what}",
        evidence=cause.line,
        next_action=seen.then(cause.action, cause.remedy),
    )


def _telling(raised: Iterable[str]) -> Iterator[str]:
    """The exceptions that do not only follow from others."""
    return (one for one in raised if not is_consequence(one))


def _launches(seen: Symptoms) -> int:
    """How many nodes Lightsail says that it has launched."""
    found = (_STARTED.fullmatch(line) for line in seen.system_lines)
    return sum(int(one[1]) for one in found if one)


def _crash_line(log: AppLog) -> str | None:
    return log.exec_error or next((x for x in reversed(log.own_words) if is_crash(x)), None)


def _health(seen: Symptoms) -> Diagnosis | None:
    endpoint = seen.endpoint
    log = seen.logs.get(endpoint.container) if endpoint else None
    if endpoint is None or log is None:
        return _known_trouble(seen)
    return (
        _port(seen, endpoint, log)
        or _host(seen, endpoint, log)
        or _answer(seen, endpoint, log, below=500)
        or _known_trouble(seen)
        or _answer(seen, endpoint, log)
        or _not_in_time(seen, endpoint, log)
    )


def _unhealthy(what: str, evidence: str | None, action: str) -> Diagnosis:
    return Diagnosis(
        kind=FailureClass.HEALTH_CHECK, what=what, evidence=evidence, next_action=action
    )


def _port(seen: Symptoms, endpoint: Endpoint, log: AppLog) -> Diagnosis | None:
    found = list(listening(log.own_words))
    right = [one for one in found if one.port == endpoint.port]
    if not found or any(not one.is_loopback for one in right):
        return None
    last = (right or found)[-1]
    bind = f"Let the app listen on 0.0.0.0:{endpoint.port}"
    if right:
        what = f"The app listens on 127.0.0.1:{endpoint.port} only, which Lightsail cannot reach."
        return _unhealthy(what, last.line, seen.then(bind, Remedy.EITHER))
    return _unhealthy(
        f"The app listens on port {last.port}, but the public endpoint is port {endpoint.port}.",
        last.line,
        seen.then(f"{bind}, or set publicEndpoint.containerPort to {last.port}", Remedy.EITHER),
    )


def _host(seen: Symptoms, endpoint: Endpoint, log: AppLog) -> Diagnosis | None:
    line = next((line for line in reversed(log.own_words) if _refuses_a_node(line)), None)
    if line is None or accepts(endpoint.success_codes, 400):
        return None
    return _unhealthy(
        "Django returns 400 for a host that is not in ALLOWED_HOSTS. The health check calls the "
        "node by its address.",
        line,
        seen.then(
            "Allow every host in ALLOWED_HOSTS, or answer the health check's path before Django "
            "checks the host",
            Remedy.EITHER,
        ),
    )


def _refuses_a_node(line: str) -> bool:
    """Whether the host that Django does not allow is a node's address, which is private.

    Strangers who try other hosts, on the version that serves as well, do not give that one.
    """
    address = refused_address(line)
    try:
        return address is not None and ipaddress.ip_address(address).is_private
    except ValueError:
        return False


def _answer(seen: Symptoms, endpoint: Endpoint, log: AppLog, below: int = 1000) -> Diagnosis | None:
    """A wrong answer to the last health check. One of 400, or a redirect, is the app's own."""
    found = health_checks(log.lines, endpoint.path)
    # The good ones may be those of the live version, which writes to the same log.
    bad = [one for one in found if not accepts(endpoint.success_codes, one.status)]
    if not bad or bad[-1].status >= below:
        return None
    last = bad[-1]
    what = (
        f"The health check {last.path} returned {last.status} (expected {endpoint.success_codes})."
    )
    raised = raised_by_request(log.lines, last.path) if last.status >= 500 else None
    cause = cause_of(raised) if raised is not None else None
    if cause is not None:
        return _unhealthy(what, raised, seen.then(cause.action, cause.remedy))
    return _unhealthy(what, raised or last.line, seen.then(*_about(last)))


def _about(probed: Probed) -> tuple[str, Remedy]:
    """What to correct after such an answer to a health check."""
    match probed.status:
        case 301 | 308:
            exempt = f"^{re.escape(probed.path.lstrip('/'))}$"
            return (
                "If SECURE_SSL_REDIRECT sends the health check to https, exempt the path: "
                f"SECURE_REDIRECT_EXEMPT = ['{exempt}']. If the path lacks its last slash, correct "
                "publicEndpoint.healthCheck.path"
            ), Remedy.EITHER
        case 302 | 303 | 307:
            return (
                "Let publicEndpoint.healthCheck.path name a path that answers without a login or "
                "another redirect"
            ), Remedy.EITHER
        case 404:
            return (
                "Correct publicEndpoint.healthCheck.path, or add the path to the app",
                Remedy.EITHER,
            )
    return f"Find out why the app returns {probed.status} for {probed.path}", Remedy.IMAGE


def _not_in_time(seen: Symptoms, endpoint: Endpoint, log: AppLog) -> Diagnosis | None:
    is_up = bool(log.own_words or log.starts)
    if TOO_LONG not in seen.system_lines or not is_up:
        return None
    limit = "was not healthy within the time limit of Lightsail."
    if (raised := raised_by_request(log.lines, endpoint.path)) is not None:
        return _unhealthy(
            f"{endpoint.path} on port {endpoint.port} {limit} The app raised an exception there.",
            raised,
            seen.then("Correct what raises it", Remedy.IMAGE),
        )
    if at_start := list(_telling(raised_at_start(log.lines))):
        return _unhealthy(
            f"The app was started, but {endpoint.path} on port {endpoint.port} {limit} The "
            "evidence is the last exception in its log, which may not be the cause.",
            at_start[-1],
            seen.then(
                f"Run the command of {endpoint.container} with this image and the app's variables "
                "on your machine, and correct what raises it",
                Remedy.IMAGE,
            ),
        )
    return _unhealthy(
        f"The app was started, but {endpoint.path} on port {endpoint.port} {limit}{_quoting(log)}",
        last_words(log) or TOO_LONG,
        f"Run the image on your machine and call {endpoint.path} on port {endpoint.port}: it must "
        f"return {endpoint.success_codes} soon after the start. A redirect to https "
        "(SECURE_SSL_REDIRECT) and a host that ALLOWED_HOSTS lacks are not healthy either.",
    )


def _quoting(log: AppLog) -> str:
    return " The evidence is the end of its log, which may not show the cause." * bool(
        log.own_words
    )


def last_words(log: AppLog) -> str | None:
    """The last lines of the app, which may show what no rule knows."""
    return " | ".join(line.strip() for line in log.own_words[-QUOTED_LINES:]) or None


def telling_line(log: AppLog) -> str | None:
    """The line that most likely shows what is wrong, by its form alone."""
    raised = list(_telling(exceptions(log.own_words)))
    return next(iter(raised[-1:]), None) or _crash_line(log) or last_error(log.own_words)


_RULES: tuple[Callable[[Symptoms], Diagnosis | None], ...] = (
    _architecture,
    _image,
    _variable,
    _crash,
    _health,
)
