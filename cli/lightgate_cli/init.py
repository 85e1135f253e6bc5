"""`lightgate init`: write a spec from what is there."""

import json
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from lightgate.spec.parser import parse_app_name, parse_spec
from lightgate.spec.warnings.all_warnings import warnings
from lightgate_cli import terminal
from lightgate_cli.connection import Connection
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.files import name_of
from lightgate_cli.json_output import print_json
from lightgate_cli.next_command import with_options
from lightgate_cli.options import connected, json_option
from lightgate_cli.translating.answering import Given, Questions, answer
from lightgate_cli.translating.build import Written, build_spec
from lightgate_cli.translating.kinds import Kind, kind_of
from lightgate_cli.translating.reading import read_source
from lightgate_cli.translating.source import Json, Note, Source
from lightgate_cli.translating.text import Document, read_document
from lightgate_cli.translating.variables import commands_that_create
from lightgate_cli.translating.whole import write_whole

_STANDARD_INPUT = "standard input"
_DATABASES = {"database": "instance", "cluster": "cluster", "lightsail_database": "lightsail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InitReport:
    """The answer of `lightgate init`. `file` is null if the spec is only in the answer.

    `notes` is what the spec does not have as the source had it. `secret_commands` store the
    secrets, and `next_steps` are the commands from there to the first release.
    """

    schema_version: int = 1
    app: str
    file: str | None
    spec: Mapping[str, Any]
    notes: Sequence[Note]
    warnings: Sequence[str]
    secret_commands: Sequence[str]
    next_steps: Sequence[str]


@click.command(
    epilog="""\b
    Examples:
      lightgate init docker-compose.yml --repository crops-backend --database crops-db
      lightgate init containers.json --public-endpoint public-endpoint.json
      lightgate init --from-service crops-backend --region us-east-1
      aws lightsail get-container-services | lightgate init - --service crops-backend

    \b
    Exit codes:
      0  the spec is written, and lightgate validate takes it
      1  the source cannot become a spec, or there is no such service
      2  the call is wrong, a fact is missing, the file exists, or AWS cannot be reached
    """
)
@click.argument("source_file", metavar="[SOURCE]", type=click.File("rb"), required=False)
@click.option("--from-service", metavar="NAME", help="Read this container service, not a file.")
@click.option(
    "--public-endpoint",
    metavar="FILE",
    type=click.File("rb"),
    help="The public endpoint, where it is a file of its own.",
)
@click.option(
    *("-o", "--output"),
    metavar="FILE",
    default="lightgate.json",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="Where to write the spec; - for standard output. [default: lightgate.json]",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--service", metavar="NAME", help="The Lightsail container service of the app.")
@click.option("--app", metavar="NAME", help="The name of the app. [default: that of the service]")
@click.option("--repository", metavar="NAME", help="The ECR repository of the app's image.")
@click.option("--database", metavar="NAME", help="The RDS instance of the app.")
@click.option("--cluster", metavar="NAME", help="Its Aurora or Multi-AZ cluster.")
@click.option("--lightsail-database", metavar="NAME", help="Its managed database of Lightsail.")
@click.option("--no-database", is_flag=True, help="The app has no database.")
@click.option(
    "--endpoint", metavar="CONTAINER:PORT", help="The container that serves the public URL."
)
@click.option("--health-path", metavar="PATH", help="The page that Lightsail's health check asks.")
@click.option("--migrate", metavar="COMMAND", help="The command that applies the migrations.")
@click.option("--no-migrate", is_flag=True, help="The app has no migrations.")
@click.option(
    "--image",
    metavar="CONTAINER=IMAGE",
    multiple=True,
    help="Another image for a container, such as redis=redis:7@sha256:…",
)
@json_option
@connected
def init(
    connection: Connection,
    source_file: BinaryIO | None,
    from_service: str | None,
    public_endpoint: BinaryIO | None,
    output: Path,
    force: bool,
    as_json: bool,
    image: tuple[str, ...],
    **options: str | bool | None,
) -> None:
    """Write a spec from a running service, a file for Lightsail, or a docker-compose file.

    SOURCE is a containers.json, the input of create-container-service-deployment, the output of
    get-container-services or get-container-service-deployments, a docker-compose file, or - for
    standard input. Secrets become references. Everything that the spec does not have is named,
    with the reason and what to do.
    """
    if (source_file is None) == (from_service is None):
        raise click.UsageError("Give a SOURCE, or --from-service.")
    is_printed = str(output) == "-"
    if not is_printed and output.exists() and not force:
        raise CommandError(
            Problem.USAGE,
            f"{output} exists, and is not replaced.",
            hint="Give --force, or another file with --output.",
        )
    given = _given(image, options)
    document, name, folder = _source(source_file, from_service, connection)
    if kind_of(document.value) is Kind.SPEC:
        written = _in_plain_json(document, name)
    else:
        endpoint = _value(public_endpoint)
        source = read_source(document.value, name, folder, endpoint, from_service or given.service)
        may_ask = sys.stdin.isatty() and name != _STANDARD_INPUT and not as_json
        written = _translated(source, given, Questions(may_ask=may_ask))
    for note in written.notes:
        terminal.note(str(note))
    text = _text(written.spec)
    spec = parse_spec(text)
    app = parse_app_name(given.app or spec.service)
    live = from_service if _is_live(document.value) else None
    found = InitReport(
        app=app,
        file=None if is_printed else str(output),
        spec=written.spec,
        notes=written.notes,
        warnings=list(warnings(spec, None)),
        secret_commands=list(commands_that_create(written.secrets, app, live)),
        next_steps=_next_steps(app, written.tag, connection, None if is_printed else output),
    )
    for warning in found.warnings:
        terminal.warning(warning)
    if not is_printed:
        write_whole(output, text, replaces=force)
        terminal.ok(f"{output} is written, and valid")
    elif not as_json:
        click.echo(text.encode(), nl=False)
    if as_json:
        print_json(found)
    else:
        _say_what_next(found, is_typed=live is None)


def _given(image: tuple[str, ...], options: Mapping[str, str | bool | None]) -> Given:
    def text(name: str) -> str | None:
        value = options[name]
        return value if isinstance(value, str) else None

    databases = {key: name for option, key in _DATABASES.items() if (name := text(option))}
    if len(databases) + bool(options["no_database"]) > 1:
        raise click.UsageError(
            "Give one of --database, --cluster, --lightsail-database and --no-database."
        )
    if options["no_migrate"] and options["migrate"]:
        raise click.UsageError("--migrate and --no-migrate exclude each other.")
    pairs = [each.partition("=") for each in image]
    if not all(sign and name and value for name, sign, value in pairs):
        raise click.UsageError("--image takes CONTAINER=IMAGE.")
    return Given(
        service=text("service"),
        app=text("app"),
        repository=text("repository"),
        database=databases if databases or options["no_database"] else None,
        endpoint=text("endpoint"),
        health_path=text("health_path"),
        migrate=() if options["no_migrate"] else _words(text("migrate")),
        images={name: value for name, _, value in pairs},
    )


def _words(command: str | None) -> tuple[str, ...] | None:
    if command is None:
        return None
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise click.UsageError(f"--migrate cannot be read: {error}.") from None


def _source(
    file: BinaryIO | None, service: str | None, connection: Connection
) -> tuple[Document, str, Path | None]:
    """The document, its name for messages, and the folder of its file."""
    if file is None:
        return _running(service, connection), f"the service {service}", None
    name = name_of(file)
    folder = None if name == _STANDARD_INPUT else Path(file.name).parent
    return read_document(file.read(), name), name, folder


def _running(service: str | None, connection: Connection) -> Document:
    """The service as Lightsail describes it.

    Raises:
        CommandError: there is no such service.
    """
    client = connection.client("lightsail")
    try:
        return Document(client.get_container_services(serviceName=service))
    except client.exceptions.NotFoundException:
        raise CommandError(
            Problem.NOT_FOUND,
            f"There is no container service {service} in {connection.region}.",
            hint="aws lightsail get-container-services shows those of the region.",
        ) from None


def _is_live(answer: object) -> bool:
    """Whether the spec is that of the current deployment, so that its values can be read there."""
    match answer:
        case {"containerServices": [{"currentDeployment": {"state": "ACTIVE"}}]}:
            return True
    return False


def _value(file: BinaryIO | None) -> object:
    return read_document(file.read(), name_of(file)).value if file is not None else None


def _in_plain_json(document: Document, name: str) -> Written:
    """A spec whose form alone is wrong, such as YAML.

    Raises:
        CommandError: its form is right.
    """
    if document.oddities and isinstance(document.value, dict):
        return Written(document.value, (), {})
    raise CommandError(
        Problem.USAGE,
        f"{name} is a spec already.",
        hint=f"Check it with lightgate validate {name}.",
    )


def _translated(source: Source, given: Given, questions: Questions) -> Written:
    answers, notes = answer(source, given, questions)
    written = build_spec(source, answers)
    return replace(written, notes=[*notes, *written.notes])


def _text(spec: Json) -> str:
    """JSON for people: a list without objects stands on one line, as a command is written."""
    text = json.dumps(spec, indent=2, ensure_ascii=False)
    flat = re.sub(
        r"\[\n\s+([^\[\]{}]*?)\n\s+\]", lambda m: f"[{re.sub(r'\n\s+', ' ', m[1])}]", text
    )
    return f"{flat}\n"


def _next_steps(
    app: str, tag: str | None, connection: Connection, path: Path | None
) -> Sequence[str]:
    named = f" --tag {tag}" if tag is not None else ""
    file = shlex.quote(str(path)) if path is not None else "FILE"
    return [
        f"aws ssm put-parameter --name /{connection.stack}/apps/{app} --type String "
        f"--tier Intelligent-Tiering --overwrite --value file://{file}",
        f"lightgate doctor {app}",
        f"lightgate release {app}{named} --follow",
    ]


def _say_what_next(found: InitReport, *, is_typed: bool) -> None:
    """The commands from here to the first release."""
    say: Callable[[str], None] = lambda line: click.echo(line, err=found.file is None)  # noqa: E731
    if found.secret_commands:
        how = "waits for one value, and shows nothing"
        if not is_typed:
            how = "takes one value from the live version"
        say(f"\nStore the secrets. Each command {how}:")
        for command in found.secret_commands:
            say(f"  {command}")
    say("\nStore the spec, check the app, and release it:")
    for command in found.next_steps:
        say(f"  {with_options(command)}")
