"""Calls of `migrate` that succeed without applying every migration: the gate opens anyway."""

from collections.abc import Iterator, Sequence

from lightgate.patterns import pattern
from lightgate.spec.django_command import APPLY_NOTHING
from lightgate.spec.keys import AppSpec
from lightgate.spec.programs import Program, programs
from lightgate.spec.reversible import other_commands, workers
from lightgate.spec.warnings.warning import SpecWarning

_WITH_A_WORD = ("--database", "--settings", "--pythonpath", "-v", "--verbosity")
_APPLY_NOTHING = ("--prune", *APPLY_NOTHING)
_CHECK_FIRST = pattern(r"\bmigrate\b[^;&|]*--check\b[^;&|]*&&.*\bmigrate\b")


def that_applies_too_little(spec: AppSpec) -> Iterator[SpecWarning]:
    for name, container in spec.containers.items():
        command = container.command or ()
        found = [p for p in programs(command) if p.manage_command == "migrate"]
        applies = any(_applies_all(program) for program in found)
        path = f"containers.{name}.command"
        for program in found:
            if program.has("--fake"):
                yield SpecWarning(
                    path,
                    "migrate --fake records migrations as applied without applying them, and the "
                    "gate opens if the database has their tables and columns",
                    "remove --fake; where a database needs it, run it once as a command by hand",
                )
            elif program.has("--fake-initial"):
                yield SpecWarning(
                    path,
                    "migrate --fake-initial takes tables that exist for those of an initial "
                    "migration; of their columns the gate compares the names alone",
                    "remove --fake-initial after the release that takes the database over",
                )
            elif not applies:
                yield from _applies_nothing(path, program)
        if applies and _CHECK_FIRST.search(" ".join(command)):
            yield SpecWarning(
                path,
                "migrate --check fails exactly if there is something to migrate, so the migrate "
                "behind && never applies anything",
                "remove migrate --check and the && behind it",
            )


def that_may_be_rolled_back_to_failing_code(spec: AppSpec) -> Iterator[SpecWarning]:
    automatic = spec.migrations.automatic_rollback
    risky = [one.value for one in automatic if one.may_break_live_version]
    if risky:
        rest = ", ".join(f'"{one.value}"' for one in automatic if one.value not in risky)
        yield SpecWarning(
            "migrations.automaticRollback",
            f"with {' and '.join(risky)}, Lightgate rolls back automatically to code that may fail "
            "on the migrated database",
            f"write [{rest}], and roll back by hand after you have read the message",
        )


def that_is_never_reversed(spec: AppSpec) -> Iterator[SpecWarning]:
    if not spec.rollback.reverse:
        return
    found = [*workers(spec), *other_commands(spec)]
    why = f"{', '.join(found)} may write rows" if found else ""
    if not spec.asking_gates():
        why = why or "no gate of this spec waits for a permit"
    if why:
        yield SpecWarning(
            "rollback.reverse",
            f"has no effect: {why}, so no release is reversed automatically",
            "remove rollback.reverse, or run the app without them",
        )


def _applies_nothing(path: str, program: Program) -> Iterator[SpecWarning]:
    if option := next((one for one in _APPLY_NOTHING if program.has(one)), None):
        yield SpecWarning(
            path,
            f"migrate {option} applies no migration",
            f"remove {option}; Lightgate reads and shows the plan by itself",
        )
    elif target := _target(program):
        yield SpecWarning(
            path,
            f"migrate {' '.join(target)} is confined to the app {target[0]}, and leaves what is "
            "pending in other apps",
            f"remove {' '.join(target)}, so that every pending migration is applied",
        )


def _applies_all(program: Program) -> bool:
    return not program.has("--fake", *_APPLY_NOTHING) and not _target(program)


def _target(program: Program) -> Sequence[str]:
    """The app, and perhaps its migration, to which `migrate` is confined."""
    found, rest = [], list(program.arguments[1:])
    while rest:
        word = rest.pop(0)
        if word in _WITH_A_WORD and rest:
            del rest[0]
        elif not word.startswith("-"):
            found.append(word)
    return found
