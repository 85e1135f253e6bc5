"""Reads the report of a release's gates from their log lines and messages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lightgate.gate.evidence import find_evidence
from lightgate.gate.gate_report import (
    CommandStep,
    DatabaseAfter,
    DatabaseSession,
    Detail,
    Failure,
    GateCause,
    GateReport,
    Leftover,
    Migration,
    Phase,
)
from lightgate.gate.log_lines import events, moment_of, plain_text
from lightgate.spec.effect import Effect, effect_of

# The last twenty lines of a command, and before them up to ten exceptions that led there.
_MOST_LINES = 30
# All of it travels through the state machine, which carries 256 KB.
_MOST_MIGRATIONS = 200
MOST_HOLDERS = 5
_MOST_LEFT = 15
_MOST_UNPLANNED = 20
_LONGEST_NAME = 100
_LONGEST_COMMAND = 200
_LARGEST_NUMBER = 1e9
# The events of a gate that has not begun to apply anything.
_BEFORE_THE_BEGINNING = ("waiting", "database", "running", "plan", "locked", "stopped")


def read_gate_report(release: str, logs: Mapping[str, Iterable[str]]) -> GateReport:
    """The report of all gates of the release, from the lines of each.

    With several gates the slowest one gives the phase, and one failed gate fails the release.
    With several nodes, or after a relaunch, a gate reports more than once. The first failure is
    kept, because it explains the others, unless a later one reports more damage. If a gate has
    begun and no end is reported, what other gates have found in the database does not count.
    """
    phases: list[Phase] = []
    plans: list[bool] = []
    migrations: dict[str, Migration] = {}
    totals: list[int] = []
    order: dict[str, None] = {}
    began: dict[bool, list[str]] = {True: [], False: []}
    failures: list[tuple[int, Failure]] = []
    has_open_end = False
    spoken: list[str] = []
    planned: list[str] = []
    printed: list[str] = []
    changes: list[bool | None] = []
    effects: list[Effect | None] = []
    unplanned: list[str] = []
    faked: list[str] = []
    used: list[tuple[float | None, float | None]] = []
    for container, lines in logs.items():
        phase, said = Phase.SILENT, list(events(release, container, lines))
        for event in said:
            kind = event["event"]
            if at := moment_of(event.get("at")):
                spoken.append(at)
                if kind == "plan":
                    planned.append(at)
                if kind == "applying":
                    began["migration" in event].append(at)
            if kind in _BEFORE_THE_BEGINNING and phase is Phase.SILENT:
                phase = Phase.WAITING
            elif kind in ("applying", "applied") and not phase.is_final:
                phase = Phase.APPLYING
            elif kind == "succeeded" and phase is not Phase.FAILED:
                phase = Phase.SUCCEEDED
            elif kind == "failed":
                phase = Phase.FAILED
                failures.append((_weight(event), _with_model(_failure(container, event), said)))
            if kind in ("succeeded", "failed"):
                used.append((_number(event.get("cpuSeconds")), _number(event.get("megabytes"))))
                # The lines with the details of the run may arrive later or never.
                if first := moment_of(event.get("beganAt")):
                    began[True].append(first)
                totals.append(_applied_count(event))
                for each in _names(event.get("migrations"), event.get("migrationsApplied")):
                    migrations.setdefault(each, Migration(name=each, seconds=None))
                    order[each] = None
                unplanned += _names(event.get("unplanned"))
                faked += _names(event.get("faked"))
            if kind == "succeeded":
                printed = _lines(event) or printed
            if kind == "plan":
                plans.append(event.get("atomic") is True)
            if kind == "applied" and (name := plain_text(event.get("migration"), _LONGEST_NAME)):
                migrations.setdefault(
                    name, Migration(name=name, seconds=_number(event.get("seconds")))
                )
        phases.append(phase)
        has_open_end = has_open_end or _has_open_end(said)
        changes.append(_has_changed(said))
        if changes[-1] is not False:
            effects.append(_effect(said))
    failure = max(failures, key=lambda told: told[0], default=(0, None))[1]
    shown = [migrations[name] for name in {**order, **migrations}][:_MOST_MIGRATIONS]
    if failure is not None and has_open_end:
        failure = _without_proof(failure)
    return GateReport(
        phase=_together(phases),
        began_at=min(began[True] or began[False], default=None),
        migrations=shown,
        unlisted=max([len(migrations), *totals]) - len(shown),
        atomic=bool(plans) and all(plans),
        ready_at=min(planned or spoken, default=None),
        last_lines=tuple(printed) if not failures else (),
        changed=True if True in changes else None if None in changes or not changes else False,
        # Of several gates each has a database, and only one effect can be told.
        effect=effects[0] if len(effects) == 1 else None,
        failure=failure,
        unplanned=tuple(dict.fromkeys(unplanned))[:_MOST_UNPLANNED],
        faked=tuple(dict.fromkeys(faked))[:_MOST_MIGRATIONS],
        cpu_seconds=max((cpu for cpu, _ in used if cpu is not None), default=None),
        megabytes=max((peak for _, peak in used if peak is not None), default=None),
    )


def later(now: GateReport, before: GateReport) -> GateReport:
    """The report of two checks of one deployment: nothing that was reported once is lost.

    The next node overwrites the messages of the one before, log lines may be deleted, and each
    source may be unreadable. A report without a beginning does not undo an earlier one with it.
    """
    unplanned = tuple(dict.fromkeys([*before.unplanned, *now.unplanned]))
    faked = tuple(dict.fromkeys([*before.faked, *now.faked]))
    now, before = (replace(one, unplanned=unplanned, faked=faked) for one in (now, before))
    further = max(now, before, key=lambda one: list(Phase).index(one.phase))
    other = before if further is now else now
    if further.has_begun or not other.has_begun:
        return further
    failure = further.failure
    return replace(
        further,
        changed=True,
        effect=None,
        began_at=other.began_at,
        migrations=other.migrations,
        unlisted=other.unlisted,
        failure=None if failure is None else _without_proof(failure),
    )


def _without_proof(failure: Failure) -> Failure:
    """The failure, where it cannot prove that the database is unchanged."""
    if failure.database is DatabaseAfter.PART_WAY:
        return failure
    return replace(failure, database=DatabaseAfter.UNKNOWN)


def _effect(said: Sequence[Mapping[str, Any]]) -> Effect | None:
    """The worst effect of the migrations that were applied before a plan failed.

    A node that is launched again only repeats that the attempt has failed.
    """
    ends = [one for one in said if one["event"] == "failed"]
    failed = [one for one in ends if _cause(one) is not GateCause.ATTEMPT]
    told = (one.get("effect") for one in failed)
    found = {None if word is None else effect_of(word) for word in told}
    is_known = len(found) == 1 and not _has_open_end(said)
    return found.pop() if is_known else None


def _weight(failed: Mapping[str, Any]) -> int:
    """How much a failure tells: most that something was begun and not found unchanged.

    Least does a gate that gave up because another one failed.
    """
    if _cause(failed) is GateCause.DEPENDENCY:
        return 0
    found = _database_after(failed)
    is_harmless = found is DatabaseAfter.UNCHANGED or (found is None and "beganAt" not in failed)
    return 1 if is_harmless else 2


def _has_open_end(said: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a command was begun that nobody tells the end of."""
    began = [moment_of(one.get("at")) or "" for one in said if one["event"] == "applying"]
    ended = [moment_of(one.get("at")) or "" for one in said if _tells_an_end(one)]
    return bool(began) and (not ended or max(began) > max(ended))


def _tells_an_end(event: Mapping[str, Any]) -> bool:
    match event["event"]:
        case "succeeded":
            return True
        case "failed":
            return "beganAt" in event or _cause(event).is_end_of_a_run
        case _:
            return False


def _has_changed(said: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether a gate has changed its database, by all that it has said; None if it has not ended.

    Who has begun, or has succeeded with something to do, has changed it, unless it was found
    unchanged afterwards. A gate reports that it was stopped only if it had begun nothing.
    """
    kinds = {event["event"] for event in said}
    has_begun = bool(kinds & {"applying", "applied"}) or any("beganAt" in one for one in said)
    if "failed" in kinds:
        found = {_database_after(one) for one in said if one["event"] == "failed"}
        is_proved = found == {DatabaseAfter.UNCHANGED} and not _has_open_end(said)
        if (has_begun and not is_proved) or not found <= {DatabaseAfter.UNCHANGED, None}:
            return True
        # A cause that is unknown may be one of a command that has run.
        is_unknown = any(_cause(e) is GateCause.UNKNOWN for e in said if e["event"] == "failed")
        return None if is_unknown and not is_proved else False
    if "succeeded" in kinds:
        counts = [one.get("count") for one in said if one["event"] == "plan"]
        return has_begun or not counts or any(count != 0 for count in counts)
    if has_begun:
        return True
    return False if "stopped" in kinds else None


def _together(phases: Sequence[Phase]) -> Phase:
    for phase in (Phase.FAILED, Phase.APPLYING, Phase.WAITING, Phase.SILENT):
        if phase in phases:
            return phase
    return Phase.SUCCEEDED if phases else Phase.UNGATED


def _applied_count(event: Mapping[str, Any]) -> int:
    """How many migrations the gate has applied, with those that the event had no room for."""
    omitted, total = event.get("omitted"), 0
    for key in ("migrations", "migrationsApplied"):
        listed = event.get(key)
        more = omitted.get(key) if isinstance(omitted, dict) else 0
        total += len(listed) if isinstance(listed, list) else 0
        total += more if type(more) is int and 0 <= more < _LARGEST_NUMBER else 0
    return total


def _names(*lists: object) -> Iterable[str]:
    for found in lists:
        for one in found if isinstance(found, list) else []:
            if name := plain_text(one, _LONGEST_NAME):
                yield name


def _failure(container: str, event: Mapping[str, Any]) -> Failure:
    code, lines = _number(event.get("exitCode")), _lines(event)
    reported = plain_text(event.get("error")) or "no reason was reported"
    cause = _cause(event)
    error = find_evidence(lines, reported) if cause is GateCause.EXIT else reported
    return Failure(
        container=container,
        cause=cause,
        error=plain_text(error) or reported,
        migration=plain_text(event.get("migration"), _LONGEST_NAME),
        exit_code=None if code is None else int(code),
        database=_database_after(event),
        last_lines=lines,
        detail=_detail(event.get("detail")),
        holders=holders_of(event),
        step=_step(event.get("step")),
        command=plain_text(event.get("command"), _LONGEST_COMMAND),
        left=tuple(_left(event.get("leftovers"))),
        rows_unknown=event.get("rows") is not None,
    )


def _with_model(failure: Failure, said: Iterable[Mapping[str, Any]]) -> Failure:
    """With what the plan's operations on this migration name."""
    models: set[str] = set()
    added: dict[str, None] = {}
    for event in said:
        planned = event.get("migrations") if event["event"] == "plan" else None
        for one in planned if isinstance(planned, list) else []:
            match one:
                case {"name": name, "operations": [*operations]} if name == failure.migration:
                    for kind, model, field in map(_target, operations):
                        models.add(model)
                        added |= {field: None} if kind == "AddField" else {}
    return replace(
        failure, model=models.pop() if len(models) == 1 else None, added_fields=tuple(added)
    )


def _target(operation: object) -> tuple[str, str, str]:
    """The kind of an operation, and the model and the field that it names."""
    match operation:
        case [_, str(kind), str(target), *_]:
            model, _, field = (plain_text(target, _LONGEST_NAME) or "").partition(".")
            return kind, model.lower(), field
    return "", "", ""


def _left(told: object) -> Iterable[Leftover]:
    for one in told[:_MOST_LEFT] if isinstance(told, list) else []:
        match one:
            case [str(what), undo]:
                yield Leftover(what=plain_text(what) or "", undo=plain_text(undo))


def _cause(event: Mapping[str, Any]) -> GateCause:
    told = event.get("cause")
    return GateCause(told) if isinstance(told, str) and told in GateCause else GateCause.UNKNOWN


def _database_after(event: Mapping[str, Any]) -> DatabaseAfter | None:
    told = event.get("database")
    if told is None:
        return None
    is_known = isinstance(told, str) and told in DatabaseAfter
    return DatabaseAfter(told) if is_known else DatabaseAfter.UNKNOWN


def _step(told: object) -> CommandStep | None:
    return CommandStep(told) if isinstance(told, str) and told in CommandStep else None


def _detail(told: object) -> Detail | None:
    return Detail(told) if isinstance(told, str) and told in Detail else None


def holders_of(event: Mapping[str, Any]) -> tuple[DatabaseSession, ...]:
    """The sessions that an event names, or that it suspects: the first MOST_HOLDERS of them."""
    lists = ((event.get("holder"), False), (event.get("suspects"), True))
    found = (
        _session(one, guess) for told, guess in lists if isinstance(told, list) for one in told
    )
    return tuple(one for one in found if one is not None)[:MOST_HOLDERS]


def _session(found: object, is_suspect: bool) -> DatabaseSession | None:
    if not isinstance(found, dict) or type(found.get("pid")) is not int:
        return None
    seconds = found.get("seconds")
    return DatabaseSession(
        pid=found["pid"],
        application=plain_text(found.get("application"), _LONGEST_NAME) or "no name",
        seconds=seconds if type(seconds) is int else None,
        is_suspect=is_suspect,
    )


def _lines(event: Mapping[str, Any]) -> list[str]:
    lines = event.get("lastLines")
    if not isinstance(lines, list):
        return []
    return [plain_text(line) or "" for line in lines[-_MOST_LINES:]]


def _number(value: object) -> float | None:
    """A number that can be passed on: JSON of others has no NaN, and no number without end."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LARGEST_NUMBER else None
