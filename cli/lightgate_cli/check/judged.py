"""The migrations of a project with their classes, as the project's own Python has judged them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightgate.gate.log_lines import plain_text
from lightgate.migrations.plan import Operation, read_declarations, read_operations
from lightgate.spec.effect import Effect, allows, effect_of
from lightgate_cli.check.lines import line_of

_LONGEST_TEXT = 300
_OWN_METHOD = "Migration.apply"  # stands before the operations if the migration has its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A migration. `operations` are those that are not compatible, the worst first.

    `line` is that of the first operation which decides the class. `declared` is the sentence about
    the class that the team declares.
    """

    name: str
    effect: Effect
    file: Path
    line: int
    operations: Sequence[Operation]
    declared: str | None

    @property
    def app(self) -> str:
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`server` is the server whose rules were taken, and `names` has the migration of each file.

    `is_djangos`: the project's `migrate` is Django's, so the gate can read its plan.
    """

    server: str
    django: str
    is_djangos: bool
    migrations: Sequence[Migration]
    names: Mapping[Path, str]

    def not_allowed(self, allowed: Collection[Effect]) -> Sequence[Migration]:
        return [one for one in self.migrations if not allows(allowed, {one.effect})]


def read_judged(report: Mapping[str, Any]) -> Judged:
    """The report of the program `django_check`."""
    return Judged(
        server=report["server"],
        django=report["django"],
        is_djangos=report["djangos"],
        migrations=[_migration(one) for one in report["migrations"]],
        names={Path(file): name for file, name in report["files"].items()},
    )


def _migration(told: Mapping[str, Any]) -> Migration:
    file, name = Path(told["file"]), plain_text(told["name"], _LONGEST_TEXT) or "a migration"
    declared = read_declarations([[name, *told["declared"]]] if "declared" in told else [])
    return Migration(
        name=name,
        effect=effect_of(told["class"]),
        file=file,
        line=_line(file, told),
        operations=read_operations({"migrations": [told]}),
        declared=declared[0] if declared else None,
    )


def _line(file: Path, told: Mapping[str, Any]) -> int:
    operations = [one for one in told["operations"] if one[1] != _OWN_METHOD]
    at = next((at for at, one in enumerate(operations) if one[0] == told["class"]), None)
    try:
        return line_of(file.read_text("utf-8"), at, len(operations))
    except (OSError, UnicodeDecodeError):
        return 1
