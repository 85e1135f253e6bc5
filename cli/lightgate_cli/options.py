"""The options that several commands have."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import click

from lightgate_cli import next_command


def _not_empty(
    context: click.Context,  # noqa: ARG001
    option: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> str | None:
    """An unset variable of a script must not lead to the stack of another account."""
    if value is not None and not value.strip():
        raise click.BadParameter("it is empty")
    return value


def _name(option: str, words: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    return click.option(option, metavar="NAME", callback=_not_empty, help=words)


_OPTIONS = (
    _name("--profile", "The AWS profile. [default: that of the shell]"),
    _name("--region", "The AWS region. [default: that of the profile]"),
    _name("--stack", "The stack of Lightgate. [default: lightgate]"),
    click.option("--local", is_flag=True, help="Use the local cloud that runs on this machine."),
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: the same facts for a program."
)


class _AppName(click.ParamType):
    """A name that an app can have: AWS answers any other one with an error of its own."""

    name = "app"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        # Only now, because the parser takes a while to import.
        from lightgate.errors import SpecError
        from lightgate.spec.parser import parse_app_name

        try:
            return parse_app_name(value)
        except SpecError as error:
            self.fail(" ".join(error.reasons), param, ctx)


APP_NAME = _AppName()

app_option = click.option(
    "--app",
    type=APP_NAME,
    metavar="NAME",
    help="The app of the release. [default: any app that has it]",
)


def connected[**P, T](command: Callable[..., T]) -> Callable[P, T]:
    """Give the command its connection as the first argument, and the options that choose it.

    botocore is imported only when such a command runs, because it takes longer than `validate`.
    """

    @wraps(command)
    def call(
        *arguments: object,
        profile: str | None,
        region: str | None,
        stack: str | None,
        local: bool,
        **options: object,
    ) -> T:
        from lightgate_cli.connection import Connection, Target, reaching_aws

        if local and (profile or region):
            raise click.UsageError("--local excludes --profile and --region.")
        target = Target(profile=profile, region=region, stack=stack, local=local)
        next_command.remember(target.options, target.aws_options)
        with reaching_aws(target):
            return command(Connection(target), *arguments, **options)

    for option in reversed(_OPTIONS):
        call = option(call)
    return call  # type: ignore[return-value]


follow_option = click.option(
    "--follow", "is_followed", is_flag=True, help="Show the progress until the release has ended."
)

_START_OPTIONS = (
    click.option("--skip-snapshot", is_flag=True, help="Take no snapshot of the database first."),
    click.option(
        "--allow-destructive",
        is_flag=True,
        help="Also if the previous version may fail with the database afterwards.",
    ),
    click.option("--reason", metavar="TEXT", help="Why: it is on record, and in the message."),
    follow_option,
    json_option,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """The options of every command that starts an execution."""

    skip_snapshot: bool
    allow_destructive: bool
    reason: str | None
    is_followed: bool
    as_json: bool


def starts_a_release[**P, T](command: Callable[..., T]) -> Callable[P, T]:
    """Give a connected command the options of a start, as the argument after the connection."""

    @wraps(command)
    def call(
        connection: object,
        *arguments: object,
        skip_snapshot: bool,
        allow_destructive: bool,
        reason: str | None,
        is_followed: bool,
        as_json: bool,
        **options: object,
    ) -> T:
        chosen = StartOptions(
            skip_snapshot=skip_snapshot,
            allow_destructive=allow_destructive,
            reason=reason,
            is_followed=is_followed,
            as_json=as_json,
        )
        return command(connection, chosen, *arguments, **options)

    with_options: Callable[P, T] = connected(call)
    for option in reversed(_START_OPTIONS):
        with_options = option(with_options)
    return with_options
