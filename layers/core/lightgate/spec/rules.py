"""The rules of an app spec that are about several of its parts at once."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from lightgate.image.addresses import ImageAddress, RegistryAddress, without_registry
from lightgate.json_reader import KEY_ITSELF, Node, nearest, one_of, shown
from lightgate.names import PIN_TAG_PREFIX
from lightgate.spec.command_rules import (
    beside_the_plan,
    commands_of,
    needs_a_plan,
    not_the_call,
    outside_the_gate,
)
from lightgate.spec.command_words import wrong_words
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.health_rules import health_rules, most_checks
from lightgate.spec.keys import (
    LONGEST_POLL_SECONDS,
    AppSpec,
    Dependency,
    DependencyCondition,
    SecretReference,
    Stage,
    call_of,
    runs_migrate,
)
from lightgate.spec.time_limits import longest_limit

# Step Functions keeps 25,000 events of an execution; the steps outside the waits take few.
_MOST_POLLS = 2600
# Waiting for the service, for the deployment, and for that of a rollback.
_DEPLOYMENT_LIMITS = 3
# One for the new version, and one for the version after a rollback.
_WATCHES = 2
NEED_AN_ANSWER = (
    "path",
    "successCodes",
    "expectHeader",
    "expectText",
    "latencySeconds",
    "write",
)
_IMAGE_STORE_LABEL = r":(?P<service>[a-z0-9-]+)\.(?P<label>[a-z0-9-]+)\.(?P<number>latest|\d+)"


def check_rules(spec: AppSpec, root: Node, home: RegistryAddress | None) -> None:
    """Report every rule that the spec breaks, as far as its parts could be read."""
    _Rules(spec, root, home).check()


def is_pushed_image(image: str | None, service: str | None) -> bool:
    """Whether the image is a label of the service's own image store: it means the pushed image.

    While the service is unknown, that may be true of every label.
    """
    label = _label(image)
    return label is not None and service in (None, label["service"])


def _label(image: object) -> re.Match[str] | None:
    return re.fullmatch(_IMAGE_STORE_LABEL, image) if isinstance(image, str) else None


class _Rules:
    """The rules for a spec in which something stands in for each value that could not be read.

    No stand-in breaks a rule by its own value. Before a rule reports that something is missing, it
    makes sure that it was not just unreadable (`_was_read`).
    """

    def __init__(self, spec: AppSpec, root: Node, home: RegistryAddress | None) -> None:
        self._spec, self._root, self._home = spec, root, home
        self._not_pushed: set[str] = set()

    def check(self) -> None:
        self._check_repository()
        self._check_tags()
        self._check_database()
        self._check_variables()
        self._check_rehearsal()
        self._check_secret_arns()
        self._check_dependencies()
        self._check_images()
        self._check_ports()
        self._check_modes()
        self._check_commands()
        self._check_endpoint()
        self._check_verification()
        self._check_polls()
        self._check_patience()
        for cycle in _cycles(self._spec):
            circle = " → ".join(cycle)
            self._report(f"wait for each other in a circle: {circle}", "containers")
        self._check_guards()

    def _report(self, text: str, *place: str | int) -> None:
        """Add a problem, unless the value there could not be read, which is a problem already."""
        problems = self._root.problems
        if not any(place[: len(unread)] == unread for unread in problems.unread):
            problems.add(self._root.at(*place).path, text)

    def _was_read(self, *place: str | int) -> bool:
        """Whether everything at and below this place could be read; `*` stands for any key."""
        return not any(
            all(key in ("*", step) for key, step in zip(place, unread, strict=False))
            for unread in self._root.problems.unread
        )

    def _knows_who_waits_for(self, name: str, owner: str = "*") -> bool:
        """Whether every dependency that may be on this container could be read.

        `owner` is the container whose dependencies count; `*` stands for all.
        """
        for unread in self._root.problems.unread:
            match unread:
                case ("containers", _, "dependsOn", _, "condition") if self._root.at(
                    *unread[:-1], "containerName"
                ).value not in (None, name):
                    continue
                case ("containers", waiting, "dependsOn", *_) if owner in ("*", waiting):
                    return False
                case ("containers",) | ("containers", _) | ():
                    return False
        return True

    def _check_repository(self) -> None:
        """A push to another registry would never be heard of."""
        given = self._root.at("repository").value
        registry = RegistryAddress.of_address(given) if isinstance(given, str) else None
        home = self._home
        if registry is not None and home is not None and registry != home:
            self._report(
                f"{shown(given)} is in the account {registry.account} and the region "
                f"{registry.region}; Lightgate receives only the pushes of the account "
                f"{home.account} and the region {home.region}; push to a repository there and "
                f"write its name, such as {without_registry(given)}",
                "repository",
            )

    def _check_tags(self) -> None:
        for index, tag in enumerate(self._spec.tags):
            if tag.startswith(PIN_TAG_PREFIX):
                self._report(
                    f"tags that begin with {PIN_TAG_PREFIX} are Lightgate's own; a push of one is "
                    "never a release",
                    *("tags", index),
                )

    def _check_secret_arns(self) -> None:
        """Lightgate reads secrets in its own account and Region only."""
        if self._home is None:
            return
        places: list[tuple[tuple[str, ...], Mapping[str, SecretReference]]] = [
            (("secrets",), self._spec.secrets),
            *((("containers", n, "secrets"), c.secrets) for n, c in self._spec.containers.items()),
        ]
        if self._spec.rehearsal is not None:
            places.append((("rehearsal", "secrets"), self._spec.rehearsal.secrets))
        for place, secrets in places:
            for name, one in secrets.items():
                # Those at the top of the spec are in every container as well.
                is_shared = len(place) > 1 and self._spec.secrets.get(name) == one
                is_here = (one.account, one.region) == (self._home.account, self._home.region)
                if one.account and not is_here and not is_shared:
                    self._report(
                        f"is in the account {one.account} and the Region {one.region}, and "
                        f"Lightgate reads secrets of {self._home.account} in {self._home.region} "
                        "only; store the secret there",
                        *place,
                        name,
                    )

    def _check_database(self) -> None:
        database = self._root.at("database").value
        if self._spec.require_private_database and database is None:
            self._report(
                "is true, and the spec names no database; add database, or remove this key",
                "requirePrivateDatabase",
            )
        if not isinstance(database, dict):
            return
        kinds = [kind.value for kind in DatabaseKind]
        given = [kind for kind in kinds if kind in database]
        if len(given) > 1:
            self._report(f"has {' and '.join(given)}; keep one of them", "database")
        elif not given:
            self._report(f"names no database; write one of {one_of(kinds)}", "database")

    def _check_variables(self) -> None:
        owners: list[tuple[str, ...]] = [
            (),
            *(("containers", name) for name in self._spec.containers),
            ("rehearsal",),
        ]
        for owner in owners:
            plain, secret = (self._root.at(*owner, key).value for key in ("environment", "secrets"))
            if isinstance(plain, dict) and isinstance(secret, dict):
                for name in sorted(plain.keys() & secret.keys()):
                    self._report(
                        "stands in environment too; keep one of the two", *owner, "secrets", name
                    )

    def _check_rehearsal(self) -> None:
        """A rehearsal restores a snapshot of RDS, and must not reach the app's own database."""
        rehearsal, database = self._spec.rehearsal, self._spec.database
        if rehearsal is None:
            return
        if self._was_read("database") and (database is None or database.instance is None):
            self._report(
                "needs database.instance: only a snapshot of an RDS instance can be rehearsed on; "
                "remove this key, or name the instance",
                "rehearsal",
            )
        variable = rehearsal.database_variable
        places = [("rehearsal", key) for key in ("environment", "secrets", "databaseVariable")]
        if all(self._was_read(*place) for place in places) and variable not in (
            rehearsal.environment.keys() | rehearsal.secrets.keys()
        ):
            self._report(
                f"{shown(variable)} is in neither environment nor secrets of the rehearsal, which "
                "has no other variables; add it there",
                *("rehearsal", "databaseVariable"),
            )

    def _check_dependencies(self) -> None:
        """Afterwards the spec names no container that does not exist."""
        containers = self._spec.containers
        for name, container in containers.items():
            for index, dependency in enumerate(container.depends_on):
                self._check_dependency(name, index, dependency)
        known = {
            name: replace(
                each, depends_on=tuple(d for d in each.depends_on if d.container in containers)
            )
            for name, each in containers.items()
        }
        self._spec = replace(self._spec, containers=known)

    def _check_dependency(self, name: str, index: int, dependency: Dependency) -> None:
        target, containers = dependency.container, self._spec.containers
        item = ("containers", name, "dependsOn", index)
        place = (*item, "containerName")
        if target == name:
            self._report("a container cannot wait for itself", *place)
        elif target not in containers:
            self._report_no_container(target, *place)
            self._root.problems.unread.append(place)
        elif (
            dependency.condition is DependencyCondition.HEALTHY
            and containers[target].health_check is None
            and self._was_read("containers", target, "healthCheck")
        ):
            text = f"HEALTHY needs containers.{target}.healthCheck, which is missing"
            self._report(text, *item, "condition")
        if any(each.container == target for each in containers[name].depends_on[:index]):
            self._report(f"waits for {shown(target)} twice; keep one of the two", *place)

    def _report_no_container(self, name: str, *place: str | int) -> None:
        known = self._spec.containers
        if self._was_read("containers", "*", KEY_ITSELF):
            hint = nearest(name, known)
            allowed = one_of(known)
            self._report(f"there is no container {shown(name)}{hint}; allowed is {allowed}", *place)

    def _check_images(self) -> None:
        """Another image than the pushed one is meant only if its digest says which one.

        The public endpoint and the migrations need the pushed image: otherwise a release of one
        image would succeed with another one. So would one of a spec in which every container has
        another.
        """
        self._check_labels()
        spec = self._spec
        others = [
            name for name, container in spec.containers.items() if container.image is not None
        ]
        if others and len(others) == len(spec.containers) and not any(map(self._role, others)):
            keys = ("image", "command", "manage", "dependsOn")
            if all(self._was_read("containers", "*", key) for key in keys):
                self._report(
                    "all have another image, so none runs the image that is pushed; remove the "
                    "image of each container that runs the app",
                    "containers",
                )
        for name in others:
            self._check_other_image(name, spec.containers[name].image or "")

    def _check_labels(self) -> None:
        """A label means the pushed image, so two labels would silently become one image."""
        service = self._spec.service
        seen: dict[str, str] = {}
        for name in self._spec.containers:
            place = ("containers", name, "image")
            image = self._root.at(*place).value
            label = _label(image)
            if label is None or label["service"] != service:
                continue
            first = next(iter(seen), label["label"])
            if label["number"] != "latest":
                self._report(
                    f"{shown(image)} is one fixed image of the image store, and Lightgate deploys "
                    f"the image that was pushed to ECR; write :{service}.{label['label']}.latest, "
                    "which means the pushed image, or remove the image",
                    *place,
                )
            if label["label"] not in seen and seen:
                self._report(
                    f"{shown(image)} and :{service}.{first}.latest of {seen[first]} are two "
                    "images, and each label means the image that was pushed; remove the image of "
                    "every container that runs the pushed image, and name another image by its "
                    "digest",
                    *place,
                )
            seen.setdefault(label["label"], name)

    def _check_other_image(self, name: str, text: str) -> None:
        spec, place = self._spec, ("containers", name, "image")
        if text.startswith(":"):
            self._report(
                f"{shown(text)} is not in this service's image store; allowed is "
                f":{spec.service}.LABEL.latest, which means the pushed image, or another image "
                "with its digest",
                *place,
            )
            self._not_pushed.add(name)
        elif (role := self._role(name)) is not None:
            endpoint = spec.public_endpoint
            is_endpoint = endpoint is not None and endpoint.container == name
            other = ", or name a container of the app in publicEndpoint" if is_endpoint else ""
            self._report(
                f"{shown(text)} is another image; {name} {role}, and such a container always runs "
                f"the image that was pushed; remove the image{other}",
                *place,
            )
            self._not_pushed.add(name)
        elif (image := ImageAddress.read(text)).digest is None:
            registry = RegistryAddress.of_address(text)
            is_ours = registry is not None and self._home in (None, registry)
            is_own = image.path == spec.repository and (is_ours or not image.host)
            self._report(_no_digest(text, image, is_own=is_own), *place)
            if is_own or not self._was_read("repository"):
                self._not_pushed.add(name)

    def _role(self, name: str) -> str | None:
        """Why the container must run the pushed image, if it must."""
        endpoint, container = self._spec.public_endpoint, self._spec.containers[name]
        if endpoint is not None and endpoint.container == name:
            return "is the container of publicEndpoint"
        if self._spec.runs_to_an_end(name):
            return "is waited for until it ends"
        if container.manage or runs_migrate(container.command or ()):
            return "migrates"
        return None

    def _check_ports(self) -> None:
        """All containers of a node share its ports (docs/lightsail.md, "The network of a node")."""
        spec = self._spec
        owners: dict[int, str] = {}
        for name, container in spec.containers.items():
            for port in container.ports:
                if port in owners:
                    self._report(
                        f"the container {owners[port]} listens on it too, and the containers of a "
                        "deployment share one network; give one of them another port",
                        *("containers", name, "ports", str(port)),
                    )
                owners.setdefault(port, name)
        endpoint = spec.public_endpoint
        if endpoint is None or endpoint.container not in spec.containers:
            return
        owner, own = owners.get(endpoint.port), spec.containers[endpoint.container].ports
        is_sure = self._was_read("containers", endpoint.container, "ports")
        if owner is not None and endpoint.port not in own and is_sure:
            self._report(
                f"{endpoint.port} is a port of the container {owner}, and the containers of a "
                f"deployment share one network; name {owner} in containerName, or give a port of "
                f"{endpoint.container}",
                *("publicEndpoint", "containerPort"),
            )

    def _check_modes(self) -> None:
        for name in self._spec.containers:
            conditions = self._spec.conditions_on(name)
            ends = sorted(condition for condition in conditions if condition.needs_an_end)
            if ends and DependencyCondition.HEALTHY in conditions:
                self._report(
                    f"is waited for with HEALTHY and with {ends[0]}: it cannot both run on and end",
                    *("containers", name),
                )

    def _check_commands(self) -> None:
        spec = self._spec
        for name, container in spec.containers.items():
            place = ("containers", name)
            is_wrapped = bool(container.depends_on or spec.conditions_on(name))
            is_foreign = container.image is not None and name not in self._not_pushed
            is_foreign = is_foreign and self._was_read(*place, "image")
            if is_wrapped and is_foreign and container.python is None:
                self._report(
                    "is missing: a container that waits, or that another one waits for, runs the "
                    "gate, and that needs Python 3.8 or later; if the image "
                    f'{shown(container.image)} has Python, write its name, such as "python3"; if '
                    "not, remove the dependsOn of this container, and this container from every "
                    "other dependsOn",
                    *(*place, "python"),
                )
            if is_wrapped and is_foreign and container.command is None:
                self._report(
                    "is missing: the gate starts the command of a container that waits, or that "
                    "another one waits for; write the command of the image "
                    f"{shown(container.image)}",
                    *(*place, "command"),
                )
            self._check_words(name)
            if not self._knows_who_waits_for(name):
                continue
            self._check_plan(name)
            is_alone = not is_wrapped and self._was_read(*place, "dependsOn")
            if container.python is not None and is_alone:
                self._report("has no use: this container runs no gate; remove it", *place, "python")
            for key, text, reads in self._useless_keys(name):
                if all(self._was_read(*place, each) for each in reads):
                    self._report(text, *place, key)

    def _check_words(self, name: str) -> None:
        """Report what no shell reads, and every `migrate` beside the command."""
        container = self._spec.containers[name]
        for path, command in commands_of(container):
            place = ("containers", name, *path)
            if not self._was_read(*place):
                continue
            wrong = wrong_words(command, container.manage)
            if wrong is None and path[0] in ("before", "then"):
                wrong = beside_the_plan(command, path[0])
            if wrong is not None:
                self._report(wrong, *place)
                self._root.problems.unread.append(place)

    def _check_plan(self, name: str) -> None:
        """Report a command that migrates without its plan, or that is more than its plan."""
        place = ("containers", name)
        keys = ("command", "image", "manage", "pendingCommand", "before", "then")
        if self._spec.containers[name].image is not None or not all(
            self._was_read(*place, key) for key in keys
        ):
            return
        if (problem := self._plan_problem(name)) is not None:
            self._report(problem, *place, "command")

    def _plan_problem(self, name: str) -> str | None:
        spec, container = self._spec, self._spec.containers[name]
        if spec.runs_to_an_end(name) and container.manage:
            return not_the_call(container, container.manage)
        if not self._was_read("migrations"):
            return None
        if spec.runs_to_an_end(name):
            return needs_a_plan(spec, name)
        # A container that holds the endpoint back is missing among its dependencies.
        endpoint = spec.public_endpoint
        is_last = endpoint is None or endpoint.container == name
        return outside_the_gate(spec, name) if is_last and name not in spec.gates() else None

    def _useless_keys(self, name: str) -> Iterator[tuple[str, str, Sequence[str]]]:
        """The keys of the container that would be ignored, why, and the keys that decide it."""
        spec, container = self._spec, self._spec.containers[name]
        task = "has no use: it belongs to a container that is waited for with SUCCESS or COMPLETE"
        ends, is_ours = spec.runs_to_an_end(name), container.image is None
        if container.fixtures and not spec.uses_preset(name):
            commands = "gives no command, so that the stage decides what it runs"
            yield "fixtures", f"{task} and {commands}; remove it", ("image", "command")
        elif container.fixtures and spec.stage is not Stage.DEVELOPMENT:
            text = f"are loaded in the stage development only, and the stage is {spec.stage}"
            yield "fixtures", text, ("image", "command")
        if container.manage and not (ends and is_ours):
            yield "manage", f"{task} and runs the pushed image; remove it", ("image",)
        if container.after_failure and not ends:
            yield "afterFailure", f"{task}; remove it", ()
        for key in ("before", "then"):
            if getattr(container, key) and not spec.reads_plan(name):
                yield (
                    key,
                    f"{task}, runs the pushed image and has the call of migrate as its command, or "
                    "none; remove it",
                    ("image", "command", "manage"),
                )
        is_django = container.manage or call_of(container)
        if container.pending_command and (not ends or spec.uses_preset(name) or is_django):
            text = f"{task} and is not Django, whose plan is read instead; remove it"
            yield "pendingCommand", text, ("image", "command", "manage")

    def _check_endpoint(self) -> None:
        spec = self._spec
        endpoint = spec.public_endpoint
        if endpoint is None:
            if not spec.unprotected and self._was_read("unprotected"):
                self._report(
                    "is missing: without it Lightsail checks no health, and a deployment becomes "
                    'active while its gate is still shut; add it, or say "unprotected": true',
                    "publicEndpoint",
                )
            return
        if spec.unprotected:
            self._report("contradicts publicEndpoint; keep one of the two", "unprotected")
        container = spec.containers.get(endpoint.container)
        if container is None:
            self._report_no_container(endpoint.container, "publicEndpoint", "containerName")
            return
        # A port that the container does not mention is opened for the endpoint.
        protocol = container.ports.get(endpoint.port, "HTTP")
        if protocol not in ("HTTP", "HTTPS"):
            self._report(
                f"{endpoint.port} is open for {protocol} in containers.{container.name}.ports; "
                "allowed is HTTP or HTTPS",
                *("publicEndpoint", "containerPort"),
            )
        if spec.runs_to_an_end(container.name):
            self._report(
                f"{container.name} is waited for until it ends, so it cannot serve",
                *("publicEndpoint", "containerName"),
            )

    def _check_verification(self) -> None:
        """Without a public endpoint there are no answers, so nothing can be expected of them."""
        given = self._root.at("verification").value
        if self._spec.public_endpoint is not None or not self._was_read("publicEndpoint"):
            return
        for key in NEED_AN_ANSWER:
            if isinstance(given, dict) and key in given:
                self._report(
                    "needs publicEndpoint, which is missing: without a public URL nothing is asked",
                    *("verification", key),
                )

    def _check_polls(self) -> None:
        """An execution ends without a message at 25,000 events. One check takes nine events."""
        spec = self._spec
        snapshot = spec.database.timeout_seconds if spec.database else 0
        longest = snapshot + _DEPLOYMENT_LIMITS * spec.deployment_timeout_seconds
        room = _MOST_POLLS - _WATCHES * most_checks(health_rules(spec))
        shortest = math.ceil(longest / room)
        if spec.poll_seconds < shortest:
            found = (
                f"{spec.poll_seconds} is"
                if "pollSeconds" in self._root.value
                else f"is missing, and its default of {spec.poll_seconds} is"
            )
            limits = "database.timeoutSeconds and " if spec.database else ""
            self._report(
                f"{found} too short: with {limits}deploymentTimeoutSeconds a release may take "
                f"{longest} seconds, and one execution has room for {room} checks; allowed is "
                f"{shortest} to {LONGEST_POLL_SECONDS}",
                "pollSeconds",
            )

    def _check_patience(self) -> None:
        """A migration must not begin if Lightsail may end the deployment in the middle of it."""
        spec = self._spec
        others = (name for name in spec.containers if not spec.runs_to_an_end(name))
        if not (
            self._was_read("pollSeconds")
            and self._was_read("platformPatienceSeconds")
            and all(map(self._knows_who_waits_for, others))
        ):
            return
        patience = timedelta(seconds=spec.platform_patience_seconds)
        poll = timedelta(seconds=spec.poll_seconds)
        longest = int(longest_limit(patience, poll).total_seconds())
        for name in spec.asking_gates():
            limit = spec.time_limit(name) or 0
            if limit > longest:
                given = spec.containers[name].timeout_seconds is not None
                fits = f"allowed is 1 to {longest}, or" if longest > 0 else "none would fit; give"
                self._report(
                    f"{limit} is {'' if given else 'its default, and '}too long: Lightsail is "
                    f"trusted to wait {spec.platform_patience_seconds} seconds for a deployment "
                    "(platformPatienceSeconds, not published), and the node has to start and to be "
                    f"seen in them too (pollSeconds, {spec.poll_seconds}); {fits} a longer "
                    "platformPatienceSeconds at your own risk",
                    *("containers", name, "timeoutSeconds"),
                )

    def _check_guards(self) -> None:
        """Every gate must hold the container that serves, or the gate would protect nothing."""
        spec = self._spec
        endpoint = spec.public_endpoint
        if endpoint is None or endpoint.container not in spec.containers:
            return
        name = endpoint.container
        before = {name, *_waited_for(spec, name)}
        for gate in spec.gates():
            is_guarded = gate == name or gate in spec.gates_before(name)
            if not is_guarded and all(self._knows_who_waits_for(gate, each) for each in before):
                self._report(
                    f"{name} does not wait for {gate}, so it would serve even if {gate} failed; "
                    f"add {gate} to containers.{name}.dependsOn with SUCCESS",
                    *("publicEndpoint", "containerName"),
                )
        for other, container in spec.containers.items():
            migrates = spec.uses_preset(other) or runs_migrate(container.command or ())
            is_sure = self._knows_who_waits_for(other) and self._was_read(
                "containers", other, "command"
            )
            if migrates and other != name and other not in spec.gates() and is_sure:
                self._report(
                    f"runs migrate, and no container waits for its success, so {name} would serve "
                    f"even if it failed; add {other} to containers.{name}.dependsOn with SUCCESS",
                    *("containers", other),
                )


def _no_digest(text: str, image: ImageAddress, *, is_own: bool) -> str:
    if is_own:
        return (
            f"{shown(text)} names the app's own repository, and its tag {image.tag or 'latest'} "
            "need not be the image that was pushed; remove the image, and the container runs the "
            "image that was pushed"
        )
    return (
        f"{shown(text)} can become another image at any time; allowed is another image than the "
        f"pushed one only with its digest; write {text}@sha256:… with the digest that "
        f"docker buildx imagetools inspect {text} prints"
    )


def _waited_for(spec: AppSpec, name: str) -> set[str]:
    """The containers that this one waits for, directly or through others."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        names = {d.container for d in spec.containers[waiting.pop()].depends_on} - found
        found |= names
        waiting += names
    return found


def _cycles(spec: AppSpec) -> Iterator[list[str]]:
    """Each circle of waiting containers once, beginning with its first in the spec."""
    order = list(spec.containers)
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> Iterator[list[str]]:
        if name in path:
            circle = path[path.index(name) :]
            start = circle.index(min(circle, key=order.index))
            yield [*circle[start:], *circle[:start], circle[start]]
            return
        if name in done:
            return
        for dependency in spec.containers[name].depends_on:
            if dependency.container != name:
                yield from walk(dependency.container, [*path, name])
        done.add(name)

    for name in order:
        yield from walk(name, [])
