"""The result for machines. docs/check.md has the fields."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from lightgate.migrations.compatibility import explain
from lightgate.migrations.plan import Operation
from lightgate.spec.effect import Effect, allows
from lightgate_cli.check.changes import Changes
from lightgate_cli.check.judged import Judged, Migration

_SCHEMA_VERSION = 1


def document(
    judged: Judged, allowed: Collection[Effect], changes: Changes | None, changed: Collection[Path]
) -> dict[str, Any]:
    found = Counter(one.effect for one in judged.migrations)
    return {
        "schemaVersion": _SCHEMA_VERSION,
        "server": judged.server,
        "django": judged.django,
        "since": changes and {"ref": changes.ref, "commit": changes.commit},
        "allowed": [one.value for one in Effect if allows(allowed, {one})],
        "ok": not judged.not_allowed(allowed),
        "counts": {one.value: found[one] for one in Effect},
        "migrations": [_migration(one, allowed) for one in judged.migrations],
        "changed": [{"name": judged.names[file], "file": str(file)} for file in changed],
    }


def _migration(one: Migration, allowed: Collection[Effect]) -> dict[str, Any]:
    return {
        "name": one.name,
        "class": one.effect.value,
        "allowed": allows(allowed, {one.effect}),
        "file": str(one.file),
        "line": one.line,
        "declared": one.declared,
        "operations": [_operation(each) for each in one.operations],
    }


def _operation(one: Operation) -> dict[str, Any]:
    return {
        "class": one.effect.value,
        "kind": one.kind,
        "target": one.target,
        "detail": one.detail,
        "why": explain(one),
        "statements": list(one.statements),
    }
