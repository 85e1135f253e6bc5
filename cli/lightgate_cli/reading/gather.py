"""Reads what the rules need, side by side: a command answers as fast as its slowest read."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from heapq import merge
from itertools import islice

from lightgate.aws.clients import code_of
from lightgate.aws.http_probe import ask
from lightgate.backup.timings import Timings
from lightgate.deployment.status import Service
from lightgate.errors import LightgateError, RefusalCode, RefusedError, SpecError, sentence
from lightgate.image.addresses import RegistryAddress
from lightgate.names import marked_release
from lightgate.records.release_record import ReadableRecord
from lightgate.release.lock import Lock
from lightgate.spec.health_rules import Probe, health_rules
from lightgate.spec.keys import AppSpec
from lightgate.spec.parser import parse_spec
from lightgate.state import State
from lightgate.verification.health import problem_of
from lightgate_cli.connection import AWS_ERRORS, Connection
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.app_facts import AppFacts
from lightgate_cli.reading.app_status import with_status
from lightgate_cli.reading.progress import Progress, progress_of

# More than one release that never ran, or has no outcome, may stand before the last one that did.
_NEWEST = 30
_THREADS = 16
# The events of a Wait, and those of the task before it.
_LAST_EVENTS = 12
# Without a spec nothing says how fast the app must answer.
LONGEST_ANSWER = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecRead:
    """A spec as it is stored: None if there is none, or if it is wrong as `problem` says."""

    app: str
    spec: AppSpec | None = None
    problem: str | None = None
    exists: bool = True


def all_apps(connection: Connection) -> Sequence[AppFacts]:
    """Every app that has a spec or a lock, by name."""
    names = connection.all_app_names()
    # Not in one pool: each app waits for reads of its own.
    with ThreadPoolExecutor(_THREADS) as pool, ThreadPoolExecutor(len(names) or 1) as apps:
        found = [
            apps.submit(lambda app: _facts(read_spec(app, connection), connection, pool), app)
            for app in names
        ]
        return [each.result() for each in found]


def one_app(app: str, connection: Connection) -> AppFacts | None:
    """The facts of an app; None if it has neither a spec nor a release."""
    with ThreadPoolExecutor(_THREADS) as pool:
        facts = _facts(read_spec(app, connection), connection, pool)
    is_known = facts.spec is not None or facts.unread or facts.history or facts.lock != Lock()
    return facts if is_known else None


def read_spec(app: str, connection: Connection) -> SpecRead:
    try:
        return _parsed(app, connection.apps.read(app).text, connection)
    except SpecError as error:
        return SpecRead(app=app, problem=error.reasons[0])
    except RefusedError as error:
        if error.code is not RefusalCode.SPEC_MISSING:
            raise
        return SpecRead(app=app, exists=False)


def _parsed(app: str, text: str, connection: Connection) -> SpecRead:
    home = RegistryAddress(connection.account, connection.region)
    try:
        return SpecRead(app=app, spec=parse_spec(text, home))
    except SpecError as error:
        return SpecRead(app=app, problem=error.reasons[0])


def _facts(read: SpecRead, connection: Connection, pool: ThreadPoolExecutor) -> AppFacts:
    app, spec = read.app, read.spec
    locked = pool.submit(connection.locks.read, app)
    recorded = pool.submit(lambda: list(islice(_releases(app, connection), _NEWEST)))
    rehearsed = pool.submit(lambda: list(islice(connection.rehearsals.history(app), _NEWEST)))
    versioned = pool.submit(connection.releases.versions, app)
    timed = pool.submit(connection.timings.read, app)
    shown = pool.submit(_service, app, spec, connection)
    unread = [f"The spec of {app} is broken: {sentence(read.problem)}"] if read.problem else []
    lock = locked.result()
    timings = _result("The earlier durations", timed, unread) or Timings()
    running = pool.submit(_running, lock, spec, timings, connection)
    service = _result("The container service", shown, unread)
    asked = pool.submit(_ask, service, spec)
    progress, is_over = _result("The running execution", running, unread) or (None, False)
    if is_over and connection.locks.read(app) != lock:
        # The release has ended between two reads, and is not abandoned.
        return _facts(read, connection, pool)
    was_asked, problem = asked.result()
    return AppFacts(
        app=app,
        now=connection.now(),
        spec=spec,
        lock=lock,
        history=recorded.result(),
        versions=_result("The earlier versions", versioned, unread),
        service=service,
        was_asked=was_asked,
        answer_problem=problem,
        running=progress,
        has_ended=is_over,
        rehearsals=rehearsed.result(),
        unread=unread,
    )


def _result[T](what: str, future: Future[T], unread: list[str]) -> T | None:
    """The result of a read; None and a sentence in `unread` if AWS did not answer it."""
    try:
        return future.result()
    except (LightgateError, *AWS_ERRORS) as error:
        why = str(error) if isinstance(error, LightgateError) else code_of(error)
        unread.append(sentence(f"{what} could not be read: {why}"))
        return None


def _service(app: str, spec: AppSpec | None, connection: Connection) -> Service | None:
    if spec is not None:
        return connection.lightsail.service(spec.service)
    known = connection.releases.last_known(app)
    return None if known is None else connection.lightsail.service(known.service)


def _ask(service: Service | None, spec: AppSpec | None) -> tuple[bool, str | None]:
    """Whether the live app was asked, and what is wrong with its answer: one health check."""
    current = service.current if service is not None else None
    if service is None or current is None or service.url is None or current.endpoint is None:
        return False, None
    probe = health_rules(spec).read if spec is not None else None
    if probe is None:
        endpoint = current.endpoint
        probe = Probe(
            method="GET",
            path=endpoint.path,
            success_codes=endpoint.success_codes,
            latency=LONGEST_ANSWER,
            headers={},
            body=None,
            expected_header=None,
            expected_text=None,
        )
    release = marked_release(current.release) if current.release is not None else None
    # Without the digest, an expectation that names it is left out.
    probe = probe.for_release(release, None)
    return True, problem_of(probe, ask(service.url, probe))


def _running(
    lock: Lock, spec: AppSpec | None, timings: Timings, connection: Connection
) -> tuple[Progress | None, bool]:
    """How far the release is that has the lock, and whether its execution is over."""
    if lock.holder is None:
        return None, False
    arn = lock.holder.execution
    if has_ended(lock, connection):
        return None, True
    return execution_progress(arn, timings, watch_period(spec), connection), False


def watch_period(spec: AppSpec | None) -> timedelta | None:
    return health_rules(spec).period if spec is not None else None


def execution_progress(
    arn: str, timings: Timings, watch_period: timedelta | None, connection: Connection
) -> Progress | None:
    """How far a running execution is; None before its first state.

    `timings` and `watch_period` are what the app's stages are expected to take.
    """
    answer = connection.client("stepfunctions").get_execution_history(
        executionArn=arn, reverseOrder=True, maxResults=_LAST_EVENTS
    )
    for event in answer["events"]:
        entered = event.get("stateEnteredEventDetails")
        if entered is not None:
            document = json.loads(entered.get("input") or "{}")
            if "startedAt" not in document:
                return None
            state = State.read_at_the_end(document)
            return progress_of(state, entered["name"], event["timestamp"], timings, watch_period)
    return None


def side_by_side[T](reads: Sequence[Callable[[], T]]) -> Sequence[T]:
    """The results of reads that need nothing of each other."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return [each.result() for each in [pool.submit(read) for read in reads]]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Releases, the newest first. `live` is the id of the live one.

    `live_unread` says why that is unknown, `unread` what else could not be read.
    """

    records: Sequence[ReadableRecord]
    live: str | None = None
    live_unread: str | None = None
    unread: Sequence[str] = ()


def read_history(app: str, most: int, connection: Connection) -> History | None:
    """The releases of an app; None if it has neither a spec nor a release."""
    with ThreadPoolExecutor(_THREADS) as pool:
        read = read_spec(app, connection)
        recorded = pool.submit(_newest, app, most, connection)
        shown = pool.submit(_service, app, read.spec, connection)
        lock = connection.locks.read(app)
        ended = pool.submit(has_ended, lock, connection)
        live_unread: list[str] = []
        service = _result("The container service", shown, live_unread)
        records = recorded.result()
        unread: list[str] = []
        is_over = _result("The running execution", ended, unread) or False
    if not records and not read.exists:
        return None
    current = service.current if service is not None else None
    return History(
        records=[with_status(one, lock, has_ended=is_over) for one in records],
        live=current.release if current is not None else None,
        live_unread=" ".join(live_unread) or None,
        unread=unread,
    )


def _newest(app: str, most: int, connection: Connection) -> Sequence[ReadableRecord]:
    """Rehearsals stand among the releases, by the time of their start."""
    releases, rehearsals = _releases(app, connection), connection.rehearsals.history(app)
    found = merge(releases, rehearsals, key=lambda one: one.started_at, reverse=True)
    return list(islice(found, most))


def _releases(app: str, connection: Connection) -> Iterator[ReadableRecord]:
    """A release that waited has a second record from its beginning on, which tells the rest."""
    return (one for one in connection.releases.history(app) if one.begun_as is None)


def has_ended(lock: Lock, connection: Connection) -> bool:
    """Whether the execution that has the lock is over: then its release is abandoned."""
    holder = lock.holder
    return holder is not None and connection.executions.ended(holder.execution) is not None


def no_such_app(app: str, connection: Connection) -> CommandError:
    return CommandError(
        Problem.NOT_FOUND,
        f"There is no app {app}: {connection.apps_path}/{app} does not exist, and no release of "
        "it is on record.",
        hint="lightgate status shows all apps.",
    )
