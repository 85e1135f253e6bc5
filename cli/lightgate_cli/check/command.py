"""`lightgate check`: the classes of the migrations of a project."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import click

from lightgate.spec.effect import DEFAULT_AUTOMATIC, Effect
from lightgate.spec.keys import Migrations
from lightgate.spec.migration_policy import Policy
from lightgate.spec.parser import parse_spec
from lightgate_cli import terminal
from lightgate_cli.check.annotations import annotation, file_annotation
from lightgate_cli.check.changes import Changes, changes_since, repository_of
from lightgate_cli.check.document import document
from lightgate_cli.check.judged import Judged
from lightgate_cli.check.project import judge
from lightgate_cli.check.table import lines
from lightgate_cli.json_output import print_json

_REFUSED = 1
_CHANGED = (
    "does something else than at {ref}: a database that has applied it does not apply it again. "
    "Put the change into a new migration."
)
_RENAMED = (
    "was {old} at {ref}: a database that has applied it under its old name applies it again. "
    "Give it its old name."
)
_OWN_MIGRATE = (
    "the project's own migrate command replaces Django's, so the gate cannot read its plan, and "
    "each release counts as unknown"
)


class _Classes(click.ParamType):
    name = "classes"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Effect, ...]:
        words = [word.strip() for word in value.split(",") if word.strip()]
        if wrong := [word for word in words if word not in Effect]:
            self.fail(f"{wrong[0]!r} is no class; the classes are {', '.join(Effect)}", param, ctx)
        return tuple(map(Effect, words))


@click.command(
    epilog="""\b
    Examples:
      lightgate check manage.py
      lightgate check manage.py --since origin/main --github
      lightgate check manage.py crops wagtailcore.0094_alter_page_locale --json

    \b
    Exit codes:
      0  every migration has a class that is allowed
      1  a migration has a class that is not allowed, or the spec is refused
      2  the call is wrong, or the project or its migrations cannot be loaded
    """
)
@click.argument("manage_py", metavar="MANAGE_PY", type=click.Path(exists=True, dir_okay=False))
@click.argument("names", metavar="[APP[.MIGRATION]]...", nargs=-1)
@click.option(
    "--since",
    "ref",
    metavar="REF",
    help="Only the migrations that are new since REF, such as origin/main, together as one "
    "release. Changed ones are a warning.",
)
@click.option(
    "--allow",
    type=_Classes(),
    metavar="CLASSES",
    help="The classes that pass, with commas. [default: those of --spec, or else "
    f"{','.join(DEFAULT_AUTOMATIC)}]",
)
@click.option(
    "--spec",
    "spec_file",
    metavar="SPEC",
    type=click.File("rb"),
    help="The spec of the app: its migrations.automaticRollback, policy and declared.",
)
@click.option("--settings", metavar="MODULE", help="DJANGO_SETTINGS_MODULE for the project.")
@click.option(
    "--python",
    metavar="PATH",
    help="The Python of the project, which has Django. [default: python on PATH]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.option(
    "--github", is_flag=True, help="Print annotations for a GitHub pull request, after the table."
)
def check(
    manage_py: str,
    names: Sequence[str],
    *,
    ref: str | None,
    allow: Sequence[Effect] | None,
    spec_file: BinaryIO | None,
    settings: str | None,
    python: str | None,
    as_json: bool,
    github: bool,
) -> None:
    """Report the class of each migration, and whether it allows an automatic rollback.

    MANAGE_PY is the manage.py of a Django project, or its own script for Django's commands.
    Nothing migrates and no database is asked: the settings only have to name its engine. Without
    APP or --since, all migrations are judged, each as if it alone were pending.
    """
    if as_json and github:
        raise click.UsageError("--json and --github exclude each other.")
    policy = parse_spec(spec_file.read()).migrations if spec_file else Migrations()
    allowed = _allowed(policy) if allow is None else allow
    file = Path(manage_py)
    changes = changes_since(ref, file) if ref else None
    judged = judge(
        file,
        python=python,
        settings=settings,
        new=changes.new if changes else None,
        declared=policy.declared,
    )
    if names:
        judged = _only(judged, names)
    warnings = _warnings(judged, changes)
    for path, text in warnings.items():
        terminal.warning(f"{judged.names[path]} {text}")
    if not judged.is_djangos:
        terminal.warning(_OWN_MIGRATE)
    if as_json:
        print_json(document(judged, allowed, changes, warnings))
    else:
        is_whole = not names and changes is None
        shown = [m for m in judged.migrations if m.effect != Effect.COMPATIBLE or not is_whole]
        for line in lines(judged, shown, allowed, ref):
            click.echo(line)
    if github:
        _annotate(judged, allowed, warnings, repository_of(file))
    if judged.not_allowed(allowed):
        click.get_current_context().exit(_REFUSED)


def _allowed(policy: Migrations) -> Collection[Effect]:
    """The classes that allow an automatic rollback, unless the gate blocks them."""
    return [
        effect
        for effect in policy.automatic_rollback
        if not (policy.policy is Policy.BLOCK and effect.may_break_live_version)
    ]


def _only(judged: Judged, names: Sequence[str]) -> Judged:
    """The migrations that are named, or whose app is.

    Raises:
        UsageError: there is no such app or migration.
    """
    known = {name for one in judged.names.values() for name in (one, one.partition(".")[0])}
    for name in names:
        if name not in known:
            raise click.UsageError(f"The project has no app or migration {name!r}.")
    chosen = [one for one in judged.migrations if {one.name, one.app} & set(names)]
    return replace(judged, migrations=chosen)


def _warnings(judged: Judged, changes: Changes | None) -> dict[Path, str]:
    """What is wrong with migrations that were there before."""
    if changes is None:
        return {}
    found = {}
    for file in changes.modified:
        if file in judged.names and changes.do_otherwise(file):
            found[file] = _CHANGED.format(ref=changes.ref)
    for file, old in changes.renamed.items():
        if file in judged.names:
            found[file] = _RENAMED.format(old=old.stem, ref=changes.ref)
    return found


def _annotate(
    judged: Judged,
    allowed: Collection[Effect],
    warnings: dict[Path, str],
    top: Path | None,
) -> None:
    for one in judged.migrations:
        if text := annotation(one, allowed, top):
            click.echo(text)
    for file, text in warnings.items():
        name = judged.names[file]
        click.echo(file_annotation(file, f"{name} is changed", f"{name} {text}", top))
