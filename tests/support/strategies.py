"""Generated specs: valid ones of every shape, and anything that JSON can say."""

import string
from typing import Any

from hypothesis import strategies as st

from lightgate.gate.packaging import FIRST_GATE_PORT
from lightgate.spec.command_words import wrong_words
from tests.support.builders import Json

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
VARIABLES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,10}", fullmatch=True).filter(
    lambda name: not name.startswith("LIGHTGATE_")
)
# What a process can be given as an argument: no NUL, no half of a surrogate pair.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
).filter(lambda text: "{{" not in text)
COMMANDS = (
    st.tuples(TEXTS.filter(bool), st.lists(TEXTS, max_size=3))
    .map(lambda t: [t[0], *t[1]])
    .filter(lambda command: wrong_words(tuple(command)) is None)
)
PORTS = st.integers(1, 65535) | st.integers(FIRST_GATE_PORT - 5, FIRST_GATE_PORT + 15)
FIXTURES = st.lists(st.sampled_from(["dev_data.json", "fixtures/dev data.json"]), max_size=2)
REFERENCES = st.sampled_from(
    ["ssm:/crops/key", "secretsmanager:crops/db", "secretsmanager:crops/db:url:AWSCURRENT"]
)
MIGRATIONS = st.fixed_dictionaries(
    {},
    optional={
        "policy": st.sampled_from(["allow", "warn", "block"]),
        "lockTimeoutSeconds": st.integers(0, 300),
        "requireLock": st.booleans(),
        "databaseTimeoutSeconds": st.integers(1, 3600),
    },
)

PATHS = st.from_regex(r"/[a-z0-9/?=&_-]{0,20}", fullmatch=True)
SUCCESS_CODES = st.sampled_from(["200", "200-299", "200,301-302", "404"])
HEADER_NAMES = st.sampled_from(["X-Release", "Authorization", "content-type", "X_1", "~"])
HEADER_VALUES = st.sampled_from(["{release}", "{digest}", "x", "a b", "v {release}/{digest}"])
WRITES = st.fixed_dictionaries(
    {"path": PATHS},
    optional={
        "method": st.sampled_from(["POST", "PUT", "PATCH"]),
        "headers": st.dictionaries(HEADER_NAMES, HEADER_VALUES, max_size=2),
        "body": TEXTS.filter(bool),
        "successCodes": SUCCESS_CODES,
    },
)
WATCHES: dict[str, st.SearchStrategy[Any]] = {
    "watchSeconds": st.integers(0, 3600),
    "answersNeeded": st.integers(1, 10),
    "failuresInARow": st.integers(1, 10),
}
ANSWERS: dict[str, st.SearchStrategy[Any]] = {
    "path": PATHS,
    "successCodes": SUCCESS_CODES,
    "expectHeader": st.fixed_dictionaries({"name": HEADER_NAMES, "value": HEADER_VALUES}),
    "expectText": TEXTS.filter(bool),
    "latencySeconds": st.integers(1, 30),
    "write": WRITES,
}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=10,
)


@st.composite
def valid_specs(draw: st.DrawFn, *, is_public: bool | None = None) -> Json:
    """Any acyclic graph of up to ten containers, the last of which may be public.

    Others wait for a container either until it has ended or until it is healthy, and the
    public one waits for every gate. What is not needed is sometimes left out: a command that
    the stage or the image has, the port of the endpoint, a foreign image's Python.
    """
    names = draw(st.lists(NAMES, min_size=1, max_size=10, unique=True))
    ports = draw(st.lists(PORTS, min_size=len(names), max_size=len(names), unique=True))
    is_public = draw(st.booleans()) if is_public is None else is_public
    ends = {name: draw(st.booleans()) for name in names}
    proof = {name: "SUCCESS" if ends[name] else "HEALTHY" for name in names}
    containers: Json = {}
    gates: list[str] = []
    for index, name in enumerate(names):
        earlier = names[:index]
        awaited = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        depends_on = {
            other: draw(st.sampled_from(["START", "COMPLETE"] if ends[other] else ["START"]))
            if draw(st.booleans())
            else proof[other]
            for other in awaited
        }
        if is_public and name == names[-1]:
            depends_on |= {gate: proof[gate] for gate in gates}
        gates += [
            other
            for other, condition in depends_on.items()
            if condition == proof[other] and other not in gates
        ]
        containers[name] = {
            "command": draw(COMMANDS),
            "ports": {str(ports[index]): draw(st.sampled_from(["HTTP", "HTTPS"]))},
            "environment": draw(st.dictionaries(VARIABLES, TEXTS, max_size=2)),
            "dependsOn": [
                {"containerName": other, "condition": condition}
                for other, condition in depends_on.items()
            ],
            "healthCheck": {"command": draw(COMMANDS)},
        }
    stage = draw(st.sampled_from(["development", "staging", "production"]))
    for name, container in containers.items():
        public = is_public and name == names[-1]
        _vary(draw, container, _conditions_on(containers, name), stage, is_public=is_public)
        if public and draw(st.booleans()):
            del container["ports"]
    if all(container.get("image") == FOREIGN for container in containers.values()):
        del containers[names[0]]["image"]
    order = draw(st.permutations(names))
    document: Json = {
        "serviceName": "crops",
        "repository": "team/crops",
        "stage": stage,
        "secrets": {"SECRET": draw(REFERENCES)},
        "containers": {name: containers[name] for name in order},
    }
    if draw(st.booleans()):
        document["migrations"] = draw(MIGRATIONS)
    if draw(st.booleans()):
        keys = WATCHES | (ANSWERS if is_public else {})
        document["verification"] = draw(st.fixed_dictionaries({}, optional=keys))
    if is_public:
        document["publicEndpoint"] = {"containerName": names[-1], "containerPort": ports[-1]}
    else:
        document["unprotected"] = True
    return document


FOREIGN = f"nginx@sha256:{'7' * 64}"


def _conditions_on(containers: Json, name: str) -> set[str]:
    return {
        dependency["condition"]
        for container in containers.values()
        for dependency in container["dependsOn"]
        if dependency["containerName"] == name
    }


def _vary(
    draw: st.DrawFn, container: Json, awaited: set[str], stage: str, *, is_public: bool
) -> None:
    """Choose the image of the container, and leave out a command that is known without it."""
    is_wrapped = bool(container["dependsOn"] or awaited)
    must_be_ours = is_public or awaited & {"SUCCESS", "COMPLETE"}
    foreign = [] if must_be_ours else ["foreign"]
    match draw(st.sampled_from([*foreign, "labelled", "unlabelled"])):
        case "foreign":
            container["image"] = FOREIGN
            if is_wrapped:
                container["python"] = draw(st.sampled_from(["python3", "/opt/bin/python3.12"]))
                return
        case "labelled":
            container["image"] = ":crops.web.latest"
    if awaited & {"SUCCESS", "COMPLETE"}:
        container["afterFailure"] = draw(st.sampled_from(["exit", "hold"]))
    if draw(st.booleans()):
        _add_what_tells_pending(draw, container, awaited)
        return
    if "SUCCESS" in awaited or ("COMPLETE" in awaited and not is_public):
        container["manage"] = draw(COMMANDS)
        if stage == "development":
            container["fixtures"] = draw(FIXTURES)
    elif "COMPLETE" in awaited:
        return
    del container["command"]


def _add_what_tells_pending(draw: st.DrawFn, container: Json, awaited: set[str]) -> None:
    """A Django command has its plan; any other may have a command of its own for it."""
    if not awaited & {"SUCCESS", "COMPLETE"}:
        return
    if draw(st.booleans()) and "SUCCESS" in awaited:
        # No shell reads the list, so a variable in it is refused.
        words = [word.replace("$", "s") for word in container["command"]]
        container["command"] = ["python", "manage.py", "migrate", *words]
    elif draw(st.booleans()) and "SUCCESS" in awaited:
        container["manage"] = draw(COMMANDS)
        container["command"] = [*container["manage"], "migrate"]
    elif draw(st.booleans()):
        container["pendingCommand"] = draw(COMMANDS)


@st.composite
def mutated(draw: st.DrawFn, document: Json) -> Json:
    """The document with one place of it replaced, removed, or under another name."""
    owner: Any = document
    while True:
        key = draw(st.sampled_from(list(owner) if isinstance(owner, dict) else range(len(owner))))
        if not isinstance(owner[key], dict | list) or not owner[key] or draw(st.booleans()):
            break
        owner = owner[key]
    kind = draw(st.sampled_from(["replace", "remove", "rename"]))
    if kind == "replace":
        owner[key] = draw(JSON_VALUES)
    elif kind == "remove":
        del owner[key]
    elif isinstance(owner, dict):
        owner[draw(st.text(string.printable, max_size=8))] = owner.pop(key)
    return document
