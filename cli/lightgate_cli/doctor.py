"""`lightgate doctor`: what would keep the next release from going well."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import click
from rich.text import Text

from lightgate.checks.finding import Check, Level
from lightgate_cli import output, terminal
from lightgate_cli.connection import Connection
from lightgate_cli.doctoring.carrying_out import Planned, carry_out
from lightgate_cli.doctoring.plan import of_app, of_stack
from lightgate_cli.doctoring.tagging import missing_tags, set_tag
from lightgate_cli.json_output import print_json
from lightgate_cli.next_command import with_options
from lightgate_cli.options import APP_NAME, connected, json_option
from lightgate_cli.reading.gather import no_such_app, read_spec

_FAILED, _UNKNOWN = 1, 2
_WORDS = {
    Level.OK: Text("ok", style="green"),
    Level.WARNING: Text("warn", style="yellow"),
    Level.FAILURE: Text("FAIL", style="red"),
    Level.UNKNOWN: Text("?", style="magenta"),
    Level.SKIPPED: Text("skip", style="bright_black"),
}
_LEVEL_COLUMN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorFinding:
    """What a check has found. `app` is None for a check of the stack.

    `fix` has the commands that mend it, or sentences where no command can.
    """

    app: str | None
    check: Check
    level: Level
    text: str
    fix: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """The answer of `lightgate doctor`: every finding, in the order of the checks."""

    schema_version: int = 1
    stack: str
    findings: Sequence[DoctorFinding]
    checks: int
    failures: int
    warnings: int
    unknown: int


@click.command(
    epilog="""\b
    Examples:
      lightgate doctor
      lightgate doctor crops-backend
      lightgate doctor crops-backend --fix-tags
      lightgate doctor crops-backend --json | jq -r '.findings[] | select(.level == "failure")'

    \b
    Exit codes:
      0  no check has failed, and each has an answer; there may be warnings
      1  a check has failed, or there is no such app
      2  a check has no answer, the call is wrong, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="[APP]", required=False)
@click.option("--fix-tags", is_flag=True, help="Tag the secrets that APP may not read yet.")
@click.option("--yes", is_flag=True, help="Do not ask before --fix-tags sets the tags.")
@json_option
@connected
def doctor(
    connection: Connection, app: str | None, fix_tags: bool, yes: bool, as_json: bool
) -> None:
    """Check what a release needs, and print the command that mends each finding.

    Without APP: the stack and all apps. It changes nothing without --fix-tags. It asks AWS, and
    once the live app. A check without an answer is unknown, and never ok.
    """
    if fix_tags:
        if app is None:
            raise click.UsageError("--fix-tags needs an APP.")
        _fix_tags(connection, app, is_agreed=yes)
    elif yes:
        raise click.UsageError("--yes belongs to --fix-tags.")
    found = _report(connection, app)
    if as_json:
        print_json(found)
    else:
        output.print_lines(_lines(found, width=output.width()))
    if found.failures:
        click.get_current_context().exit(_FAILED)
    if found.unknown:
        click.get_current_context().exit(_UNKNOWN)


def _fix_tags(connection: Connection, app: str, *, is_agreed: bool) -> None:
    """Let the app read the secrets that its spec names. A spec that is broken has none."""
    spec = read_spec(app, connection).spec
    tags = list(missing_tags(app, spec, connection)) if spec is not None else []
    for tag in tags:
        terminal.tell(tag.command)
    if not tags:
        terminal.tell("No secret needs a tag.")
    elif is_agreed or click.confirm(f"Let {app} read {len(tags)} more secrets?", err=True):
        for tag in tags:
            set_tag(tag, connection)


def _report(connection: Connection, app: str | None) -> DoctorReport:
    """Raises CommandError if there is no such app or no such stack."""
    names = sorted(connection.apps.names())
    specs = [read_spec(name, connection) for name in ([app] if app is not None else names)]
    if app is not None and not specs[0].exists:
        raise no_such_app(app, connection)
    planned: list[Planned] = [*of_stack(connection, len(names))]
    for each in specs:
        planned += of_app(each, connection)
    findings = [
        DoctorFinding(
            app=check.app, check=one.check, level=one.level, text=one.text, fix=list(one.fix)
        )
        for check, found in carry_out(planned)
        for one in found
    ]
    return _report_of(connection.stack, findings, len(planned))


def _report_of(stack: str, findings: Sequence[DoctorFinding], checks: int) -> DoctorReport:
    levels = Counter(one.level for one in findings)
    return DoctorReport(
        stack=stack,
        findings=findings,
        checks=checks,
        failures=levels[Level.FAILURE],
        warnings=levels[Level.WARNING],
        unknown=levels[Level.UNKNOWN],
    )


def _lines(found: DoctorReport, *, width: int | None) -> list[Text]:
    """One block for the stack and for each app, and the numbers below."""
    shown: list[Text] = []
    column = max((len(one.check) for one in found.findings), default=0) + 2
    owners = list(dict.fromkeys(one.app for one in found.findings))
    for owner in owners:
        shown.append(Text(f"stack {found.stack}" if owner is None else owner, style="bold"))
        for one in (each for each in found.findings if each.app == owner):
            shown += _finding(one, column, width)
        shown.append(Text())
    shown.append(Text(_summary(found)))
    return shown


def _finding(one: DoctorFinding, column: int, width: int | None) -> list[Text]:
    begin = _LEVEL_COLUMN + column
    level = _WORDS[one.level].copy()
    level.pad_right(_LEVEL_COLUMN - level.cell_len)
    first, *others = output.labelled(
        f"{one.check}", one.text, width=width and width - _LEVEL_COLUMN, column=column
    )
    rows = [level.append_text(first), *(Text(" " * _LEVEL_COLUMN).append_text(x) for x in others)]
    for fix in one.fix:
        # A command is on one line, so that it can be copied.
        if width is None or fix.startswith(output.COMMANDS):
            rows.append(Text(f"{' ' * begin}fix: {with_options(fix)}"))
        else:
            told = output.labelled("fix:", fix, width=width - begin, column=5)
            rows += [Text(" " * begin).append_text(line) for line in told]
    return rows


def _summary(found: DoctorReport) -> str:
    counted = [
        _number(found.failures, "failure"),
        _number(found.warnings, "warning"),
        f"{found.unknown} unknown" if found.unknown else "",
    ]
    told = ", ".join(filter(None, counted)) or "nothing to mend"
    return f"{found.checks} checks: {told}"


def _number(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""
