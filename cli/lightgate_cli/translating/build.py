"""From a source and the answers of a person to a spec, and to what is not in it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightgate.errors import SpecError
from lightgate.image.addresses import ImageAddress
from lightgate.spec.migrating import Migrates, migrates
from lightgate.spec.programs import programs
from lightgate_cli.translating.images import is_database, is_front, is_public
from lightgate_cli.translating.migrating import (
    Migration,
    for_no_shell,
    is_django,
    migration_of,
    take_migration,
)
from lightgate_cli.translating.source import (
    Json,
    Note,
    Source,
    SourceContainer,
    SourceEndpoint,
    Wait,
    merged,
)
from lightgate_cli.translating.variables import Variables, read_variables, references

_DJANGO = ("python", "manage.py", "migrate", "--noinput")
_RDS = re.compile(
    r"(?P<name>[a-z][a-z0-9-]*)\.(?P<cluster>cluster-(?:ro-)?)?[a-z0-9]{12}\.[a-z0-9-]+\.rds\."
    r"amazonaws\.com"
)
_VERSION = re.compile(r"v\d.*")
_OWN_DEFAULT_CODES = "200-499"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The facts that a source lacks, or that the user wants otherwise.

    `database` is the object of the spec; None if the app has none. `migrate` is the command that
    migrates; empty if nothing does. None lets the source decide. `tag` is that of the app's image,
    if it is in the repository.
    """

    app: str
    service: str
    repository: str
    tag: str | None = None
    database: Mapping[str, str] | None
    endpoint: SourceEndpoint
    migrate: tuple[str, ...] | None = None
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """`secrets` are the references that are new, each with a container and variable of its value.

    `tag` is that of an image that can be released at once.
    """

    spec: Json
    notes: Sequence[Note]
    secrets: Mapping[str, tuple[str, str]]
    tag: str | None = None


def build_spec(source: Source, answers: Answers) -> Written:
    """Raises SpecError: a server migrates in its command, in a way that cannot be taken apart."""
    return _Builder(source, answers).build()


def database_in(source: Source) -> Mapping[str, str] | None:
    """The RDS database to whose address a variable refers."""
    for container in source.containers:
        for value in container.environment.values():
            found = _RDS.search(value)
            if found is not None and not found["name"].startswith("ls-"):
                return {"cluster" if found["cluster"] else "instance": found["name"]}
    return None


class _Builder:
    def __init__(self, source: Source, answers: Answers) -> None:
        self._source, self._answers = source, answers
        self._notes: list[Note] = []
        known = {each.name: each for each in source.containers}
        self._web = known[answers.endpoint.container]
        self._app = {
            name: each
            for name, each in known.items()
            if each.same_image == self._web.same_image and name not in answers.images
        }
        self._others = {name: known[name] for name in answers.images if name in known}
        self._gone = {
            name: each
            for name, each in known.items()
            if name not in self._app and name not in self._others
        }
        self._commands: dict[str, tuple[str, ...] | None] = {}
        self._healthy: set[str] = set()

    def build(self) -> Written:
        gone = tuple(f"services.{name}." for name in self._gone)
        self._notes += [note for note in self._source.notes if not note.place.startswith(gone)]
        for name, container in self._gone.items():
            self._notes.append(_left_out(name, container, self._web.name))
        migration = self._take_migrations()
        self._check_server()
        gates = [name for name in self._app if self._is_gate(name)]
        added = None
        if not gates:
            migration = self._wanted(migration)
            if migration is not None:
                added = "migrate" if "migrate" not in self._source_names() else "lightgate-migrate"
                gates = [added]
        containers: dict[str, Json] = {}
        if added is not None and migration is not None:
            containers[added] = _migrate_container(migration)
        for name in sorted(self._app, key=lambda name: name not in gates):
            containers[name] = self._app_container(name, gates)
        for name, container in self._others.items():
            containers[name] = _other_container(container, self._answers.images[name])
        for name in self._healthy:
            containers[name]["healthCheck"] = self._app[name].health_check
        self._leave_out_ports(containers)
        top, secrets = self._variables(containers, added)
        answers = self._answers
        database = answers.database
        spec: Json = {
            "serviceName": answers.service,
            "repository": answers.repository,
            **self._tags(),
            **({"database": dict(database), "requirePrivateDatabase": True} if database else {}),
            **top,
            "containers": containers,
            "publicEndpoint": self._endpoint(),
        }
        document = {**spec, **self._source.more, **spec}
        return Written(document, merged(self._notes), secrets, answers.tag)

    def _tags(self) -> Json:
        """So that the image that runs is one of the watched ones."""
        tag = self._answers.tag
        if tag is None or tag == "latest":
            return {}
        if _VERSION.fullmatch(tag):
            return {"tags": ["v*"]}
        self._notes.append(
            Note(
                "tags",
                f"the source runs the tag {tag}, so only pushes of this tag are released",
                "write a pattern such as release-* if each push has a tag of its own",
            )
        )
        return {"tags": [tag]}

    def _source_names(self) -> set[str]:
        return {each.name for each in self._source.containers}

    def _take_migrations(self) -> Migration | None:
        """Take `migrate` out of the commands of the app's containers."""
        found: list[Migration] = []
        for name, container in self._app.items():
            command = container.command
            self._commands[name] = command
            if command is None:
                continue
            place = f"containers.{name}.command"
            try:
                taken = take_migration(command)
            except ValueError as error:
                raise SpecError(
                    f"{place}: runs migrate in a line that cannot be taken apart: {error}; give "
                    "migrate a container of its own, which this one waits for with SUCCESS"
                ) from None
            if taken is not None:
                found.append(taken.migration)
                self._commands[name] = taken.rest
                if taken.migration not in found[:1]:
                    reason = "migrates in another way than the container before"
                    self._notes.append(Note(place, reason, "check the command of migrate"))
            elif migrates(command) is Migrates.PERHAPS and migration_of(command) is None:
                reason = "runs a script, which may migrate and cannot be read here"
                advice = (
                    "write its call of migrate in the place of the script, with the rest in before "
                    "and then"
                    if self._is_gate(name)
                    else "take migrate out of the script"
                )
                self._notes.append(Note(place, reason, advice))
        return found[0] if found else None

    def _check_server(self) -> None:
        command = self._commands[self._web.name] or ()
        if any(one.manage_command == "runserver" for one in programs(command)):
            place = f"containers.{self._web.name}.command"
            reason = "runserver is Django's server for development"
            self._notes.append(Note(place, reason, "start gunicorn or uvicorn in its place"))

    def _is_gate(self, name: str) -> bool:
        """Whether the source has it as a container that ends before the app serves."""
        if name == self._web.name:
            return False
        is_awaited = any(
            Wait(name, condition) in each.waits
            for each in self._app.values()
            for condition in ("SUCCESS", "COMPLETE")
        )
        return is_awaited or migration_of(self._app[name].command or ()) is not None

    def _wanted(self, found: Migration | None) -> Migration | None:
        """The migration of a source in which no container is for it."""
        wanted = self._answers.migrate
        if wanted:
            return migration_of(wanted) or Migration(wanted)
        if found is not None or wanted is not None:
            return found
        commands = [each.command or () for each in self._app.values()]
        is_known = any("DJANGO_SETTINGS_MODULE" in c.environment for c in self._app.values())
        if is_known or any(map(is_django, commands)):
            self._notes.append(
                Note(
                    "containers",
                    "no container migrates",
                    f"the spec has migrate, with {' '.join(_DJANGO)}; check that, or give "
                    "--migrate or --no-migrate",
                )
            )
            return Migration(_DJANGO)
        self._notes.append(
            Note(
                "containers",
                "no container migrates, so nothing is guarded but the snapshot and the watch",
                'give --migrate "COMMAND" if the app has migrations',
            )
        )
        return None

    def _app_container(self, name: str, gates: Sequence[str]) -> Json:
        container, command = self._app[name], self._commands[name]
        waits = dict(self._waits(name))
        if name not in gates:
            waits = dict.fromkeys((gate for gate in gates if gate not in waits), "SUCCESS") | waits
        written: Json = {}
        if command is not None:
            written["command"] = list(for_no_shell(command))
        pending = (migration_of(command or ()) or Migration(())).pending
        if name in gates and pending is not None:
            written["pendingCommand"] = list(pending)
        if self._source.has_open_ports:
            written["ports"] = {str(port): how for port, how in container.ports.items()}
        elif name == self._web.name:
            written["ports"] = {str(self._answers.endpoint.port): "HTTP"}
        if waits:
            written["dependsOn"] = [
                {"containerName": other, "condition": condition}
                for other, condition in waits.items()
            ]
        if name in gates and container.health_check:
            written["healthCheck"] = container.health_check
        return {**{k: v for k, v in written.items() if v}, **container.more}

    def _waits(self, name: str) -> Iterator[tuple[str, str]]:
        """What the container can wait for on Lightsail, where all start at once."""
        for wait in self._app[name].waits:
            target = self._app.get(wait.container)
            ends = wait.condition in ("SUCCESS", "COMPLETE")
            is_guarded = self._web.name in (name, wait.container)
            has_check = target is not None and target.health_check is not None
            if target is not None and ends:
                yield wait.container, wait.condition
            elif wait.condition == "HEALTHY" and is_guarded and has_check:
                self._healthy.add(wait.container)
                yield wait.container, wait.condition
            elif target is not None or wait.container in self._others:
                self._notes.append(
                    Note(
                        f"containers.{name}.dependsOn",
                        "Lightsail starts all containers at once",
                        "let the app try its first connection to another container again",
                    )
                )

    def _leave_out_ports(self, containers: Mapping[str, Json]) -> None:
        """The containers of a deployment share one network."""
        owners: dict[str, str] = {str(self._answers.endpoint.port): self._web.name}
        for name, container in containers.items():
            for port in list(container.get("ports", ())):
                if owners.setdefault(port, name) != name:
                    del container["ports"][port]
                    reason = f"{owners[port]} listens on it too, and they share one network"
                    advice = f"give {name} another port"
                    self._notes.append(Note(f"containers.{name}.ports.{port}", reason, advice))
            if container.get("ports") == {}:
                del container["ports"]

    def _variables(
        self, containers: Mapping[str, Json], added: str | None
    ) -> tuple[Json, Mapping[str, tuple[str, str]]]:
        """Give each container its variables. Those that all have stand at the top."""
        kept, gone = list(containers), [*self._gone]
        read = {
            name: read_variables(each, kept, gone)
            for name, each in {**self._app, **self._others}.items()
        }
        for each in read.values():
            self._notes += each.notes
        if added is not None:
            read[added] = read[self._web.name]
        names = references({name: each.secret for name, each in read.items()}, self._answers.app)
        of_all: dict[str, Mapping[str, Mapping[str, str]]] = {
            "environment": {name: each.plain for name, each in read.items()},
            "secrets": names,
        }
        top: Json = {}
        for key, by_container in of_all.items():
            shared = {} if self._others or len(read) < 2 else _shared(list(by_container.values()))
            if shared:
                top[key] = shared
            for name, values in by_container.items():
                own = {k: v for k, v in values.items() if k not in shared}
                if own:
                    containers[name][key] = own
        self._say_where_secrets_point(read)
        places: dict[str, tuple[str, str]] = {}
        for container, of_container in names.items():
            for variable, reference in of_container.items() if container != added else ():
                places.setdefault(reference, (container, variable))
        return top, dict(sorted(places.items()))

    def _say_where_secrets_point(self, read: Mapping[str, Variables]) -> None:
        said = set()
        for found in read.values():
            for name, value in found.secret.items():
                for other in self._gone:
                    if re.search(rf"[@/]{re.escape(other)}(?=[:/?]|$)", value) and name not in said:
                        said.add(name)
                        self._notes.append(
                            Note(
                                f"secrets.{name}",
                                f"its value names the container {other}, which the spec does not "
                                "have",
                                "store the value with the address of the server",
                            )
                        )

    def _endpoint(self) -> Json:
        endpoint = self._answers.endpoint
        check = dict(endpoint.health_check)
        if check.get("successCodes") == _OWN_DEFAULT_CODES:
            del check["successCodes"]
            self._notes.append(
                Note(
                    "publicEndpoint.healthCheck.successCodes",
                    "200-499, the default of Lightsail, takes errors for healthy",
                    "the spec takes 200-399; change it if the page is meant to answer otherwise",
                )
            )
        if "path" not in check:
            self._notes.append(
                Note(
                    "publicEndpoint.healthCheck.path",
                    "the source names no page, so / is checked",
                    "name a page that reads from the database with --health-path",
                )
            )
        written: Json = {"containerName": endpoint.container, "containerPort": endpoint.port}
        return {**written, "healthCheck": check} if check else written


def _migrate_container(migration: Migration) -> Json:
    written: Json = {"command": list(migration.command)}
    if migration.before:
        written["before"] = [list(each) for each in migration.before]
    if migration.pending is not None:
        written["pendingCommand"] = list(migration.pending)
    return written


def _other_container(container: SourceContainer, image: str) -> Json:
    written: Json = {"image": image}
    if container.command is not None:
        written["command"] = list(container.command)
    return {**written, **container.more}


def _shared(values: Sequence[Mapping[str, Any]]) -> Json:
    first, *rest = values
    return {k: v for k, v in first.items() if all(each.get(k) == v for each in rest)}


def _left_out(name: str, container: SourceContainer, web: str) -> Note:
    place, image = f"containers.{name}", container.image
    if is_database(name, image):
        return Note(
            place,
            "a database in a container loses its rows with each deployment",
            "create one in RDS or Lightsail, and name it with --database",
        )
    if is_front(name, image):
        return Note(
            place,
            f"only the pushed image serves the public endpoint, which is that of {web}",
            "serve its files from the image of the app, such as with WhiteNoise, or from a bucket",
        )
    if is_public(image) and image is not None and ImageAddress.read(image).digest is None:
        return Note(
            place,
            f"{image} can become another image at any time",
            f"give --image {name}={image}@sha256:… with the digest that docker buildx imagetools "
            f"inspect {image} prints",
        )
    return Note(
        place,
        f"it runs another image than {web}, and Lightgate deploys one pushed image",
        f"push its image to ECR, and give --image {name}=ADDRESS:TAG@sha256:…",
    )
