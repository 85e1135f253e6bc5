"""A docker-compose file as a source."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from lightgate.errors import SpecError
from lightgate_cli.translating import images
from lightgate_cli.translating.interpolation import everywhere, read_env_file
from lightgate_cli.translating.source import (
    Json,
    Note,
    Source,
    SourceContainer,
    Wait,
)

_CONDITIONS = {
    "service_started": "START",
    "service_healthy": "HEALTHY",
    "service_completed_successfully": "SUCCESS",
}
_READ = {
    "image",
    "build",
    "command",
    "entrypoint",
    "environment",
    "env_file",
    "ports",
    "expose",
} | {*("depends_on", "healthcheck", "profiles", "links")}
# They are about one machine with Docker, and mean nothing in a Lightsail deployment.
_MEANS_NOTHING = {
    *("container_name", "restart", "networks", "network_mode", "labels", "logging", "tty"),
    *("stdin_open", "init", "hostname", "platform", "pull_policy", "stop_grace_period"),
    *("stop_signal", "annotations", "develop", "scale", "attach", "security_opt", "cap_drop"),
}
_ADVICE = {
    "volumes": (
        "a container on Lightsail has no volume: its files are gone with the next deployment",
        "keep files in a bucket such as S3, and put the code into the image",
    ),
    "user": ("Lightsail runs a container as the user of its image", "set USER in the Dockerfile"),
    "working_dir": (
        "Lightsail starts a container in the WORKDIR of its image",
        "set WORKDIR in the Dockerfile",
    ),
    "deploy": (
        "the scale and the power of a container service are those of the service",
        "set them with aws lightsail update-container-service",
    ),
    "secrets": (
        "a secret is a variable in a spec",
        'name it in "secrets": see docs/spec.md',
    ),
    "configs": ("a container on Lightsail has no mounted files", "put the file into the image"),
    "extends": (
        "what it extends is not read",
        "run docker compose config > resolved.yaml, and give resolved.yaml to lightgate init",
    ),
}
_OTHER = ("a Lightsail deployment has no such setting", "see whether the app works without it")
_UNIT = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
# An interval of the spec is in whole seconds, in the ranges of Amazon ECS.
_TIMES = (
    ("interval", "interval", 1, 300),
    ("timeout", "timeout", 1, 120),
    ("start_period", "startPeriod", 0, 300),
)


def read_compose(document: Json, file: str, folder: Path | None) -> Source:
    """`folder` is where the file is, with `.env` and others beside it.

    Raises:
        SpecError: it has no service.
    """
    known = (read_env_file(folder / ".env") if folder is not None else None) or {}
    given = document.get("services", document)
    services: dict[str, Json] = {}
    for name, each in given.items():
        service = everywhere(each, known)
        if isinstance(service, dict):
            services[_name(name)] = service
    notes = [
        Note(
            f"services.{name}", "Lightsail takes no _ or . in a name", f"it is called {_name(name)}"
        )
        for name in given
        if _name(name) != name
    ]
    if "include" in document:
        notes.append(Note("include", *_ADVICE["extends"]))
    containers = []
    same = _same_images(services)
    for name, service in services.items():
        if service.get("profiles"):
            notes.append(
                Note(f"services.{name}", "runs only with a profile", "it is not in the spec")
            )
            continue
        container, more = _container(name, service, same[name], folder)
        containers.append(container)
        notes += more
    if not containers:
        raise SpecError(f"{file}: has no services")
    return Source(
        containers=tuple(containers),
        more={},
        notes=tuple(notes),
        has_open_ports=False,
    )


def _name(name: object) -> str:
    return re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-")


def _container(
    name: str, service: Json, same_image: str, folder: Path | None
) -> tuple[SourceContainer, list[Note]]:
    place = f"services.{name}"
    notes = [
        Note(f"{place}.{key}", *_ADVICE.get(key, _OTHER))
        for key in service
        if key not in _READ | _MEANS_NOTHING and not str(key).startswith("x-")
    ]
    image = service.get("image") if isinstance(service.get("image"), str) else None
    entrypoint, command = _words(service.get("entrypoint")), _words(service.get("command"))
    if entrypoint:
        notes.append(
            Note(
                f"{place}.entrypoint",
                "Lightsail keeps the ENTRYPOINT of the image, and gives the command to it",
                "the entrypoint stands before the command in the spec; leave ENTRYPOINT out of "
                "the Dockerfile",
            )
        )
    environment, more = _environment(place, service, folder)
    waits = _waits(service.get("depends_on"))
    container = SourceContainer(
        name=name,
        same_image=same_image,
        image=image,
        command=(*entrypoint, *command) or None,
        environment=environment,
        ports=dict(_ports(service)),
        waits=tuple(waits),
        health_check=_health_check(service.get("healthcheck")),
        more={},
    )
    return container, notes + more


def _build_of(service: Json) -> str:
    """The source of the service's image; the same text where one Dockerfile has several names."""
    build = service.get("build")
    if not build:
        return ""
    parts = [build] if not isinstance(build, dict) else [build.get("context", ".")]
    if isinstance(build, dict):
        parts += [build.get("dockerfile", ""), build.get("target", "")]
    return " ".join(("build", *(str(part).removeprefix("./") for part in parts))).strip()


def _same_images(services: Mapping[str, Json]) -> Mapping[str, str]:
    """The image of each service by what it is built from, or by its name."""
    built = {
        str(service["image"]): _build_of(service)
        for service in services.values()
        if service.get("image") and service.get("build")
    }
    return {
        name: _build_of(service)
        or built.get(str(service.get("image")), "")
        or images.same_image(str(service.get("image")))
        for name, service in services.items()
    }


def _words(command: object) -> tuple[str, ...]:
    """Compose takes a text apart as a shell does, and starts no shell."""
    if isinstance(command, str):
        try:
            return tuple(shlex.split(command))
        except ValueError:
            return ("sh", "-c", command)
    return tuple(map(str, command)) if isinstance(command, list) else ()


def _environment(
    place: str, service: Json, folder: Path | None
) -> tuple[Mapping[str, str], list[Note]]:
    found: dict[str, str] = {}
    notes = []
    for path in _paths(service.get("env_file")):
        read = read_env_file(folder / path) if folder is not None else None
        if read is None:
            reason = f"{path} is not here, so its variables are unknown"
            notes.append(
                Note(f"{place}.env_file", reason, 'add them to "environment" or "secrets"')
            )
        found |= read or {}
    given = service.get("environment")
    if isinstance(given, list):
        pairs = [str(each).partition("=") for each in given]
        given = {name: value if sign else None for name, sign, value in pairs}
    for name, value in given.items() if isinstance(given, dict) else ():
        # Without a value it is that of the shell.
        found[name] = _text(value) if value is not None else f"${{{name}}}"
    return found, notes


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _paths(found: object) -> Iterator[str]:
    for each in found if isinstance(found, list) else [found]:
        path = each.get("path") if isinstance(each, dict) else each
        if path:
            yield str(path)


def _ports(service: Json) -> Iterator[tuple[int, str]]:
    """The ports in the container, also those that only other containers reach."""
    found = [service.get(key) for key in ("ports", "expose")]
    for each in (one for listed in found if isinstance(listed, list) for one in listed):
        if isinstance(each, dict):
            port, protocol = str(each.get("target")), str(each.get("protocol", "tcp"))
        else:
            rest, _, protocol = str(each).partition("/")
            port = rest.rpartition(":")[2]
        if port.isdigit() and protocol != "udp":
            yield int(port), "HTTP"


def _waits(found: object) -> Iterator[Wait]:
    if isinstance(found, list):
        found = {key: {"condition": "service_started"} for key in map(str, found)}
    for name, value in found.items() if isinstance(found, dict) else ():
        condition = value.get("condition") if isinstance(value, dict) else None
        yield Wait(_name(name), _CONDITIONS.get(str(condition), "START"))


def _health_check(found: object) -> Json | None:
    """The check in the words of a spec, which are those of Amazon ECS."""
    if not isinstance(found, dict) or found.get("disable") or not found.get("test"):
        return None
    test = found["test"]
    words = list(map(str, test)) if isinstance(test, list) else ["CMD-SHELL", str(test)]
    if words[:1] == ["NONE"]:
        return None
    check: Json = {"command": words}
    for key, name, least, most in _TIMES:
        if (seconds := _seconds(found.get(key))) is not None:
            check[name] = min(max(round(seconds), least), most)
    if isinstance(found.get("retries"), int):
        check["retries"] = min(max(found["retries"], 1), 10)
    return check


def _seconds(found: object) -> float | None:
    parts = re.findall(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)", str(found or ""))
    return sum(float(number) * _UNIT[unit] for number, unit in parts) if parts else None
