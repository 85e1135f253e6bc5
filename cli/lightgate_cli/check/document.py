"""The result for machines. docs/check.md has the fields."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightgate.migrations.compatibility import explain
from lightgate.migrations.plan import Operation
from lightgate.spec.effect import Effect, allows
from lightgate_cli.check.changes import Changes
from lightgate_cli.check.judged import Judged, Migration


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """`commit` is the last one that `ref` and HEAD share."""

    ref: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOperation:
    """An operation that is not compatible. `statements` are those that may fail after it."""

    class_: Effect
    kind: str
    target: str | None
    detail: str | None
    why: str
    statements: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedMigration:
    """`declared` is the sentence about a class that the team declares."""

    name: str
    class_: Effect
    allowed: bool
    file: str
    line: int
    declared: str | None
    operations: Sequence[CheckedOperation]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedMigration:
    """A migration that has changed, or has another name, since the commit."""

    name: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The answer of `lightgate check`. `ok`: each migration has a class of `allowed`."""

    schema_version: int = 1
    server: str
    django: str
    since: Since | None
    allowed: Sequence[Effect]
    ok: bool
    counts: Mapping[str, int]
    migrations: Sequence[CheckedMigration]
    changed: Sequence[ChangedMigration]


def document(
    judged: Judged, allowed: Collection[Effect], changes: Changes | None, changed: Collection[Path]
) -> CheckReport:
    found = Counter(one.effect for one in judged.migrations)
    return CheckReport(
        server=judged.server,
        django=judged.django,
        since=Since(ref=changes.ref, commit=changes.commit) if changes else None,
        allowed=[one for one in Effect if allows(allowed, {one})],
        ok=not judged.not_allowed(allowed),
        counts={one.value: found[one] for one in Effect},
        migrations=[_migration(one, allowed) for one in judged.migrations],
        changed=[ChangedMigration(name=judged.names[file], file=str(file)) for file in changed],
    )


def _migration(one: Migration, allowed: Collection[Effect]) -> CheckedMigration:
    return CheckedMigration(
        name=one.name,
        class_=one.effect,
        allowed=allows(allowed, {one.effect}),
        file=str(one.file),
        line=one.line,
        declared=one.declared,
        operations=[_operation(each) for each in one.operations],
    )


def _operation(one: Operation) -> CheckedOperation:
    return CheckedOperation(
        class_=one.effect,
        kind=one.kind,
        target=one.target,
        detail=one.detail,
        why=explain(one),
        statements=list(one.statements),
    )
