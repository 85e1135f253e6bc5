"""Migrations that no gate of the release has applied, though they were applied.

An ENTRYPOINT, a CMD or a person may migrate past the gate. The gate reports which migrations the
database has on record, and when the last ones were recorded; the log of each container shows what
Django applies. All of that is untrusted: it can only make a verdict worse.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from lightgate.gate.gate_report import GateReport
from lightgate.gate.log_lines import events, moment_of, plain_text
from lightgate.migrations.compatibility import Judgement, Verdict, together
from lightgate.patterns import pattern

_MOST_APPS = 500  # a report of a gate has no room for more
_MOST_NAMES = 20
_LONGEST_NAME = 100
_LONGEST_HASH = 10
# Django prints it at the beginning of a line: a request in an access log cannot imitate it.
_APPLYING = pattern(r"\s*(?:\x1b\[[0-9;]*m)*\s*(?:Una|A)pplying (\w{1,100}\.\w{1,255})\.\.\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMigrations:
    """The migrations that a database has on record, as its gate reported them.

    `found` has a hash for each app when the gate first looked, `left` when it ended. `planned` are
    the migrations of its plans, and `recent` the last ones on record, with their times.
    """

    found: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    planned: Sequence[str] = ()
    recent: Mapping[str, str] = field(default_factory=dict)

    def later(self, now: Self) -> Self:
        """With what the gate has reported by now; nothing that was reported once is lost."""
        return replace(
            self,
            found=self.found or now.found,
            left=now.left or self.left,
            planned=tuple(dict.fromkeys([*self.planned, *now.planned])),
            recent={**self.recent, **now.recent},
        )


def read_recorded(release: str, gate: str, lines: Iterable[str]) -> RecordedMigrations:
    """The recorded migrations in the database, as a gate has reported them."""
    seen = RecordedMigrations()
    for event in events(release, gate, lines):
        if event["event"] == "plan":
            names = [
                one.get("name") for one in _list(event.get("migrations")) if isinstance(one, dict)
            ]
            now = RecordedMigrations(
                found=_hashes(event.get("found")),
                planned=[name for one in names if (name := plain_text(one, _LONGEST_NAME))],
                recent=_recent(event.get("recent")),
            )
            seen = seen.later(now)
        elif event["event"] in ("succeeded", "failed"):
            seen = seen.later(RecordedMigrations(left=_hashes(event.get("left"))))
    return seen


def applied_in(lines: Iterable[str]) -> list[str]:
    """The migrations that Django says it applies or reverses in these lines of a log."""
    found = (_APPLYING.match(line) for line in lines)
    return list(dict.fromkeys(match[1][:_LONGEST_NAME] for match in found if match is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideInput:
    """What is known of a deployment.

    `report` is that of all its gates, `recorded` that of each. `permitted`: its plans may have been
    applied. `logged` are the migrations that the log of each container shows, `left` what the
    release before it left on record.
    """

    created_at: datetime
    report: GateReport
    recorded: Mapping[str, RecordedMigrations]
    permitted: bool
    logged: Mapping[str, Sequence[str]]
    left: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """`applied`: during this deployment, past its gates, and the containers whose log shows it.

    `drifted`: between the releases.
    """

    applied: Sequence[str] = ()
    drifted: Sequence[str] = ()

    @property
    def judgement(self) -> Judgement:
        """What that means for the previous version."""
        found = []
        if self.applied:
            found.append(
                Judgement(
                    verdict=Verdict.ONE_WAY,
                    reasons=(
                        "Migrations were applied or reversed outside the gate: "
                        f"{', '.join(self.applied)}. "
                        "Lightgate has not seen their plan, so the previous version may fail.",
                    ),
                )
            )
        if self.drifted:
            found.append(
                Judgement(
                    verdict=Verdict.UNKNOWN,
                    reasons=(
                        "Migrations were applied or reversed between the last release and this "
                        f"one, such as by hand: {', '.join(self.drifted)}. Lightgate has not seen "
                        "their plan.",
                    ),
                )
            )
        return together(found)


def find_outside(seen: OutsideInput) -> Outside:
    """The migrations that were applied outside the gates, by name."""
    own = {one.name for one in seen.report.migrations}
    if seen.permitted:
        own |= {name for one in seen.recorded.values() for name in one.planned}
    recent = {
        name
        for one in seen.recorded.values()
        for name, at in one.recent.items()
        if datetime.fromisoformat(at) >= seen.created_at
    }
    logged = {name for names in seen.logged.values() for name in names}
    applied = sorted({*recent, *logged} - own)
    changed = {name.partition(".")[0] for name in {*recent, *logged, *own}}
    drifted = [
        _shown(app, seen.recorded[gate])
        for gate, left in sorted(seen.left.items())
        if gate in seen.recorded
        for app in sorted(left.keys() & seen.recorded[gate].found.keys())
        if left[app] != seen.recorded[gate].found[app] and app not in changed
    ]
    return Outside(
        applied=tuple(_with_containers(name, seen.logged) for name in applied[:_MOST_NAMES]),
        drifted=tuple(dict.fromkeys(drifted))[:_MOST_NAMES],
    )


def _with_containers(name: str, logged: Mapping[str, Sequence[str]]) -> str:
    found = [container for container, names in logged.items() if name in names]
    return f"{name} (log of {', '.join(found)})" if found else name


def _shown(app: str, recorded: RecordedMigrations) -> str:
    """The last migration of the app on record, if the gate has named it."""
    own = [name for name in recorded.recent if name.startswith(f"{app}.")]
    return f"{own[-1]} is the last one of {app}" if own else f"of {app}"


def _hashes(told: object) -> Mapping[str, str]:
    if not isinstance(told, dict):
        return {}
    # Those of two reports are compared: of both the same ones are left out.
    known = sorted((k, v) for k, v in told.items() if isinstance(k, str))[:_MOST_APPS]
    found = {plain_text(k, _LONGEST_NAME): plain_text(v, _LONGEST_HASH) for k, v in known}
    return {key: value for key, value in found.items() if key and value}


def _recent(told: object) -> Mapping[str, str]:
    found = {}
    for one in _list(told)[:_MOST_NAMES]:
        match one:
            case [str(name), str(at)] if (moment := moment_of(at)) is not None:
                found[plain_text(name, _LONGEST_NAME) or "a migration"] = moment
    return found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
