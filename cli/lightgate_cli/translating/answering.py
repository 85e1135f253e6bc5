"""Complete a source with options, and on a terminal with questions."""

from collections.abc import Mapping
from dataclasses import dataclass

import click

from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.translating.build import Answers, database_in
from lightgate_cli.translating.choosing import Choice, choose_endpoint
from lightgate_cli.translating.images import digests_in, repository_of, tag_of
from lightgate_cli.translating.source import Note, Source, SourceContainer

_NO_DATABASE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options of the call. `database` is empty for an app without one, None if unknown.

    `migrate` is empty for an app without migrations, None if the source decides.
    """

    service: str | None = None
    app: str | None = None
    repository: str | None = None
    database: Mapping[str, str] | None = None
    endpoint: str | None = None
    health_path: str | None = None
    migrate: tuple[str, ...] | None = None
    images: Mapping[str, str]


class Questions:
    """Asks on a terminal. Elsewhere the options that would answer are named together."""

    def __init__(self, *, may_ask: bool) -> None:
        self._may_ask = may_ask
        self.missing: list[str] = []

    def need(self, question: str, default: str | None, option: str) -> str:
        """The answer; empty where nobody can be asked."""
        if self._may_ask:
            return self.offer(question, default)
        self.missing.append(option)
        return ""

    def offer(self, question: str, default: str | None) -> str:
        """The same for what a spec can do without."""
        if not self._may_ask:
            return ""
        answer: str = click.prompt(question, default=default, err=True)
        return answer.strip()


def answer(source: Source, given: Given, questions: Questions) -> tuple[Answers, list[Note]]:
    """All that the spec needs beside its source, and notes about what was decided.

    Raises:
        CommandError: facts are missing, and nobody can be asked.
    """
    choice = _choice(source, given, questions)
    web = _container(source, choice)
    service = given.service or source.service
    service = service or questions.need(
        "The Lightsail container service of the app", None, "--service NAME"
    )
    image = web.image if web else None
    repository = given.repository or repository_of(image)
    repository = repository or questions.need(
        "The ECR repository of the app's image", service or None, "--repository NAME"
    )
    database = given.database if given.database is not None else database_in(source)
    if database is None:
        name = questions.need(
            f"The RDS instance of the app ({_NO_DATABASE} for none)",
            None,
            "--database NAME, --cluster NAME, --lightsail-database NAME or --no-database",
        )
        database = {"instance": name} if name not in ("", _NO_DATABASE) else {}
    if questions.missing or choice.endpoint is None:
        raise CommandError(
            Problem.USAGE,
            "The spec needs what the source does not say.",
            hint="\n".join(["Give", *(f"  {option}" for option in questions.missing)]),
        )
    endpoint = choice.endpoint.with_path(given.health_path)
    if "path" not in endpoint.health_check:
        endpoint = endpoint.with_path(questions.offer("The page of the health check", "/"))
    answers = Answers(
        app=given.app or service,
        service=service,
        repository=repository,
        tag=tag_of(image) if repository == repository_of(image) else None,
        database=database or None,
        endpoint=endpoint,
        migrate=given.migrate,
        images={**digests_in(source.containers, web), **given.images},
    )
    return answers, _about(choice)


def _choice(source: Source, given: Given, questions: Questions) -> Choice:
    choice = choose_endpoint(source, given.endpoint)
    if choice.endpoint is not None:
        return choice
    some = " or ".join(choice.candidates)
    wanted = questions.need(
        f"The container that serves the public URL, and its port ({some})",
        f"{choice.candidates[0]}:8000",
        f"--endpoint CONTAINER:PORT with the container that serves: {some}",
    )
    return choose_endpoint(source, wanted) if wanted else choice


def _container(source: Source, choice: Choice) -> SourceContainer | None:
    chosen = choice.endpoint.container if choice.endpoint is not None else None
    return next((each for each in source.containers if each.name == chosen), None)


def _about(choice: Choice) -> list[Note]:
    if choice.instead_of is None or choice.endpoint is None:
        return []
    chosen = f"{choice.endpoint.container}, port {choice.endpoint.port}"
    return [
        Note(
            "publicEndpoint",
            f"{choice.instead_of} has it in the source, and stands before the app",
            f"the spec has {chosen}; for another container give --endpoint",
        )
    ]
