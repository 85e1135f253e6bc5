"""Input that nobody may trust: gate lines, messages, events, requests, specs and images.

What is forged may make a release fail, with a message that people can read. It never makes one
succeed, and what can be told from a gate's own words changes nothing.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.component import images
from tests.faults.checks import text_of
from tests.faults.gate import RELEASE, Gate, Plan
from tests.faults.moments import Change, released
from tests.faults.scenarios import Scenario
from tests.faults.world import APP, CANARIES, SPEC, World

type Json = dict[str, Any]
type Act = Callable[[World], str]
type Values = Sequence[Any]
# What is written for a gate. A surrogate stands for a byte that is no character.
type Forger = Callable[[Gate], str]

_LARGEST = 256 * 1024
_ESCAPES = "\x1b[31mred\x1b[0m \x07\x08\r\n\u202e\u2028"
# An app can write its own secrets into the log of its gate.
_SECRET = f"{_ESCAPES} {CANARIES[0]}"
_DEEP = 100_000
_FORGED_EVERY, _FORGED_TIMES = timedelta(seconds=20), 6
_WRONG: Values = (
    None,
    True,
    -1,
    1e308,
    "",
    _ESCAPES,
    [],
    {},
    [[]],
    [{}],
    {"a": {"b": 1}},
)
_PLAN: Json = {
    "event": "plan",
    "hash": "ab12cd34",
    "count": 1,
    "class": "compatible",
    "atomic": True,
}
_UNPROTECTED = {
    **{name: value for name, value in SPEC.items() if name != "publicEndpoint"},
    "unprotected": True,
    "deploymentTimeoutSeconds": 1800,
}


def scenarios(is_slice: bool) -> Sequence[Scenario]:
    found = [*_of_gates(), *_of_events(), *_of_requests(), *_of_specs(), *_of_images()]
    return found[::29] if is_slice else found


# Lines of a gate, and its messages.


def _line(gate: Gate, event: Json, **head: object) -> str:
    """As the gate itself would write it, but for what is given."""
    usual = {
        "lightgate": 1,
        "release": gate.environment[RELEASE],
        "container": gate.container,
        "at": gate.account.clock.now().isoformat(),
    }
    return json.dumps({**usual, **head, **event})


def _ending(**head: object) -> Forger:
    """All is done, and nothing was to be done."""
    return lambda gate: "\n".join(
        [
            _line(gate, {"event": "plan", "hash": "x", "count": 0, "class": "none"}, **head),
            _line(gate, {"event": "succeeded", "seconds": 1}, **head),
        ]
    )


def _event(**event: object) -> Forger:
    return lambda gate: _line(gate, event)


def _raw(text: str) -> Forger:
    """Text between the beginning of a gate's own line and its end."""
    return lambda gate: _line(gate, {"event": "waiting"})[:-1] + f", {text}}}"


def _wrong(kind: str, name: str) -> Forger:
    """One line for each wrong value of this member."""
    usual = {"plan": _PLAN, "failed": {"event": "failed", "cause": "exit"}}[kind]
    return lambda gate: "\n".join(_line(gate, {**usual, name: value}) for value in _WRONG)


_FALSE: Mapping[str, Forger] = {
    "another release": _ending(release="20260302t090000z-00000000-0000"),
    "the release before": lambda gate: _ending(release=_before(gate))(gate),
    "another container": _ending(container="web"),
    "no release": _ending(release=None),
    "wrong types in the head": _ending(release=["x"], container={}),
    "another format": _ending(lightgate=2),
    "not at the beginning of the line": lambda gate: f" {_ending()(gate).splitlines()[-1]}",
    "a line of Lightsail": lambda _: "[deployment:2] Reached a steady state",
    "cut off": lambda gate: _ending()(gate).splitlines()[-1][:-1],
    "invalid UTF-8": lambda gate: _ending()(gate).splitlines()[-1][:-2] + '\udcff\udcfe"}',
    "nested lists": _raw('"why": ' + "[" * _DEEP + "]" * _DEEP),
    "nested lists, 14 KB": _raw('"why": ' + "[" * 7000 + "]" * 7000),
    "nested objects": _raw('"why": ' + '{"a":' * _DEEP + "1" + "}" * _DEEP),
    "a number of 5,000 digits": _raw(f'"seconds": {"9" * 5000}'),
    "numbers that are none": _raw('"seconds": NaN, "count": Infinity, "exitCode": 1e400'),
    "two of each key": _raw('"event": "waiting", "release": "another", "event": "succeeded"'),
    "6 MB": _event(event="waiting", why="x" * 6 * 1024 * 1024),
    "control characters": _event(event="waiting", **{"for": [_SECRET]}, why=_SECRET),
    "half a character": _event(event="waiting", why="\ud800", **{"for": ["\udfff"]}),
    "an event that is none": _event(event={"succeeded": True}),
    "an unknown event": _event(event=_SECRET),
}
_OF_PLANS = ("hash", "count", "class", "atomic", "migrations", "ahead", "takeBack", "once")
_OF_FAILURES = (
    *("cause", "error", "migration", "exitCode", "database", "lastLines", "effect"),
    *("beganAt", "migrationsApplied", "at"),
)
# These are as the gate's own: they may make the release fail.
_TRUE: Mapping[str, Forger] = {
    "succeeded too early": _event(event="succeeded", seconds=1),
    "applied too early": _event(event="applied", migration="a.0002", seconds=1),
    "an empty plan": _event(**{**_PLAN, "count": 0, "class": "none"}),
    "5,000 migrations": _event(
        **{
            **_PLAN,
            "hash": "another",
            "count": 5000,
            "migrations": [
                {"name": f"a.{n:04}_{'x' * 60}", "operations": [["data", _SECRET]] * 3}
                for n in range(5000)
            ],
        }
    ),
    "a failure": _event(
        event="failed",
        cause=_SECRET,
        error=_SECRET * 100,
        migration=_SECRET,
        exitCode=1e400,
        database=_SECRET,
        lastLines=[_SECRET] * 1000,
    ),
}
_WRONG_MEMBERS: Mapping[str, Forger] = {
    **{f"a plan whose {name} is wrong": _wrong("plan", name) for name in _OF_PLANS},
    **{f"a failure whose {name} is wrong": _wrong("failed", name) for name in _OF_FAILURES},
}


def _before(gate: Gate) -> str:
    shown = gate.account.lightsail.services[gate.service].service.deployments
    return next(iter(shown)).containers[gate.container].environment[RELEASE]


def _write_log(gate: Gate, forged: str) -> None:
    now = gate.account.clock.now()
    for line in forged.split("\n"):
        text = line.encode("utf-8", "surrogateescape").decode(errors="replace")
        gate.account.lightsail.logs.restore(gate.service, gate.container, text, now)


def _write_letters(gate: Gate, forged: str) -> None:
    """Each of the three, whatever stands there. A message has one line."""
    for name in ("plan", "status", "result"):
        gate.put(name, forged.split("\n")[-1].encode("utf-8", "surrogateescape"))


def _forging(
    forger: Forger,
    write: Callable[[Gate, str], None],
    plan: Plan,
    *,
    is_mute: bool = False,
) -> Act:
    """It is written before the gate says anything, between its own words, and after them."""

    def act(world: World) -> str:
        known = len(world.gates)
        moments: list[datetime] = []

        def forge() -> None:
            now = world.clock.now()
            is_due = not moments or now - moments[-1] >= _FORGED_EVERY
            for gate in world.gates[known : known + 1]:
                if is_due and len(moments) < _FORGED_TIMES:
                    if is_mute and not moments:
                        _silence(world, gate)
                    moments.append(now)
                    write(gate, forger(gate))

        world.clock.watch(forge)
        subject = world.push("v2", plan)
        assert moments, "nothing was forged"
        for gate in world.gates[known : known + 1]:
            # The gate's own sentences are in its messages, and Lightgate has not written them.
            _write_letters(gate, "")
        return subject

    return act


def _silence(world: World, gate: Gate) -> None:
    """It says nothing, and Lightsail takes its deployment for a good one."""
    gate.is_over = True
    version = gate.deployment.version
    world.account.lightsail.services[APP].later(
        timedelta(seconds=90), lambda service: service.activated(version)
    )


_GOOD, _FAILING = Plan(migrations=("a.0002",)), Plan(migrations=("a.0002",), fails="a.0002")
_NOT_WELL = ("ROLLED_BACK", "FAILED", "REFUSED")
_ANY = ("SUCCEEDED", *_NOT_WELL)
_USUAL = released()
_WITHOUT_ENDPOINT = released(lambda world: world.put_spec(_UNPROTECTED))


_IN_MESSAGES = (
    *("another release", "the release before", "another container", "invalid UTF-8", "6 MB"),
    *("nested lists, 14 KB", "nested objects", "control characters", "half a character"),
)


def _of_gates() -> Iterator[Scenario]:
    everything = {**_FALSE, **_TRUE, **_WRONG_MEMBERS}
    for row, forger in everything.items():
        usual = ["SUCCEEDED"] if row in _FALSE else _ANY
        yield _of_gate(row, "log, good", _forging(forger, _write_log, _GOOD), usual)
        if row in _TRUE or row in _IN_MESSAGES:
            letters = _forging(forger, _write_letters, _GOOD)
            yield _of_gate(row, "mailbox, good", letters, usual)
        if row in _FALSE:
            mute = _forging(forger, _write_log, _GOOD, is_mute=True)
            yield _of_gate(row, "log, nothing proved", mute, ["FAILED"], _WITHOUT_ENDPOINT)
        if row in _TRUE or "release" in row:
            failing = _forging(forger, _write_log, _FAILING)
            ends = ["ROLLED_BACK"] if row in _FALSE else _NOT_WELL
            yield _of_gate(row, "log, failed", failing, ends)


def _of_gate(
    row: str, column: str, act: Act, ends: Sequence[str], prepare: Change = _USUAL
) -> Scenario:
    return Scenario(row=row, column=column, act=act, prepare=prepare, ends=ends, check=_is_readable)


def _is_readable(world: World, _: str) -> Iterator[str]:
    """Nothing that anybody is told, and nothing that travels, is too large or obeyed."""
    for message in world.receive():
        if len(str(message["raw"]).encode()) > _LARGEST:
            yield f"a message of {len(message['raw'])} characters"
        document = {key: value for key, value in message.items() if key != "raw"}
        for text in _texts(document):
            if wrong := [c for c in text if c != "\n" and not c.isprintable()]:
                yield f"{wrong!r} in what people are told: {text[:500]!r}"
    for execution in world.executions.all:
        if (longest := max(len(said.encode()) for said in execution.said)) > _LARGEST:
            yield f"{longest} bytes travel through the state machine"
        if execution.cause is not None and not execution.cause.isprintable():
            yield f"the cause of an execution is {execution.cause!r}"


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, each in value.items():
                yield from (*_texts(key), *_texts(each))
        case list():
            for each in value:
                yield from _texts(each)


# Events. None of these is a push to this registry.


def _of_events() -> Iterator[Scenario]:
    for row, event in _EVENTS.items():
        yield _refusing("ReceivePush: " + row, _told(event), ["SUCCEEDED"])


def _told(change: Callable[[Json], object]) -> Act:
    def act(world: World) -> str:
        digest = world.digests["v1"]
        event = world.push_event("v2", digest)
        changed = change(event)
        world.tasks.invoke("ReceivePushFunction", event if changed is None else {})
        started = world.executions.discover()
        assert not started, [each.name for each in started]
        return digest

    return act


def _without(*path: str) -> Callable[[Json], object]:
    def change(event: Json) -> None:
        *folders, last = path
        for folder in folders:
            event = event[folder]
        del event[last]

    return change


def _with(value: object, *path: str) -> Callable[[Json], object]:
    def change(event: Json) -> None:
        *folders, last = path
        for folder in folders:
            event = event[folder]
        event[last] = value

    return change


_OF_EVENTS = (
    *(("id",), ("time",), ("account",), ("region",), ("detail",)),
    *(("detail", name) for name in ("result", "action-type", "repository-name")),
    *(("detail", name) for name in ("image-digest", "image-tag")),
)
_EVENTS: Mapping[str, Callable[[Json], object]] = {
    "another account": _with("210987654321", "account"),
    "another region": _with("eu-west-1", "region"),
    "nothing in it": lambda _: {},
    "a tag of 100,000 letters": _with("v" * 100_000, "detail", "image-tag"),
    "a tag with escapes": _with(f"v{_ESCAPES}", "detail", "image-tag"),
    "half a character": _with("v\ud800", "detail", "image-tag"),
    "the digest of nothing": _with("sha256:" + "g" * 64, "detail", "image-digest"),
    "a time before all time": _with("0001-01-01T00:00:00+23:59", "time"),
    "a time after all time": _with("9999-12-31T23:59:59-23:59", "time"),
    "nested lists": _with(json.loads("[" * 900 + "]" * 900), "detail", "image-tag"),
    **{f"no {'.'.join(path)}": _without(*path) for path in _OF_EVENTS},
    **{
        f"{'.'.join(path)} is {json.dumps(value)}": _with(value, *path)
        for path in _OF_EVENTS
        for value in ({"a": None},)
    },
}


# Requests that a person writes.


def _of_requests() -> Iterator[Scenario]:
    for row, request in _REQUESTS.items():
        yield _refusing("by hand: " + row, _asked(request), ["REFUSED"])


def _asked(request: object) -> Act:
    def act(world: World) -> str:
        execution = world.executions.start(request, "forged")  # type: ignore[arg-type]
        world.executions.run_all()
        return execution.name

    return act


_DIGEST = "sha256:" + "a" * 64
_OF_REQUESTS = (
    *("app", "tag", "digest", "rollbackTo", "command", "skipSnapshot", "allowDestructive"),
    *("reason", "startedBy", "pushedTag", "requestedAt", "foundByReconcile", "imageTag"),
)
_WRONG_IN_REQUESTS: Values = (None, f"{_ESCAPES}\ud800", ["\0"], {"a": [None]})
_NO_REQUESTS: Values = (None, 7, "x", [], {}, [{"app": APP}], True)
_REQUESTS: Mapping[str, object] = {
    **{json.dumps(value): value for value in _NO_REQUESTS},
    "an app of 100,000 letters": {"app": "x" * 100_000},
    "an unknown app": {"app": "nobody"},
    "an app with a path": {"app": "../apps/crops-backend"},
    "an unknown key": {"app": APP, _ESCAPES: _ESCAPES},
    "1,000 unknown keys": {"app": APP, **{f"key-{n}": n for n in range(1000)}},
    "a reason of 200,000 letters": {"app": APP, "digest": _DIGEST, "reason": "x" * 200_000},
    "nested lists": {"app": APP, "reason": json.loads("[" * 900 + "]" * 900)},
    "a version of 400 digits": {"app": APP, "rollbackTo": 10**400},
    "a time before all time": {"app": APP, "requestedAt": "0001-01-01T00:00:00+23:59"},
    "a time after all time": {"app": APP, "requestedAt": "9999-12-31T23:59:59-23:59"},
    "everything at once": {
        "app": APP,
        "tag": "v1",
        "digest": _DIGEST,
        "rollbackTo": 1,
        "command": ["x"],
        "pushedTag": "v1",
    },
    **{
        f"{name} is {json.dumps(value)}": {"app": APP, name: value}
        for name in _OF_REQUESTS
        for value in _WRONG_IN_REQUESTS
        # Any text is a reason.
        if not (name in ("reason", "startedBy") and isinstance(value, str))
    },
}


# Specs.


def _of_specs() -> Iterator[Scenario]:
    for row, text in _SPECS.items():
        yield _refusing("spec: " + row, _stored(text), ["REFUSED"])


def _stored(text: str) -> Act:
    def act(world: World) -> str:
        world.put_spec_text(text)
        world.repairs.append(lambda: world.put_spec(SPEC))
        return world.push("v2", _GOOD)

    return act


def _spec(**changes: object) -> str:
    return json.dumps({**SPEC, **changes})


def _containers(**changes: object) -> str:
    return _spec(containers={**SPEC["containers"], **changes})


_WRONG_IN_SPECS: Values = (-1.5, f"{_ESCAPES}\ud800", {"a": {"b": [None]}})
_SPECS: Mapping[str, str] = {
    "nested lists": "[" * 8000,
    "nested objects": '{"tags": ["v*"], "a":' + '{"a":' * 1500 + "1" + "}" * 1501,
    "nested below a key": _spec(environment="x").replace('"x"', "[" * 3500 + "]" * 3500),
    "8 KB of a name": _spec(serviceName="x" * 7000),
    "8 KB of keys": _spec(**{f"k{n}": n for n in range(500)}),
    "8 KB of containers": _spec(containers={f"c{n}": {} for n in range(500)}),
    "not JSON": "serviceName: crops-backend",
    "null": "null",
    "a list": "[]",
    "a text": '"x"',
    "a byte order mark": "\ufeff" + _spec(),
    "two of each key": _spec()[:-1] + "," + _spec()[1:],
    "numbers that are none": _spec(pollSeconds=1).replace(": 1,", ": NaN,"),
    "a number of 5,000 digits": _spec(pollSeconds=1).replace(": 1,", f": {'9' * 5000},"),
    "half a character": _spec(environment={"A": "\ud800"}),
    "a key with escapes": _spec(**{_ESCAPES: 1}),
    "a container with escapes": _containers(**{_ESCAPES: {"command": ["x"]}}),
    "a container that waits for itself": _containers(
        web={
            **SPEC["containers"]["web"],
            "dependsOn": [{"containerName": "web", "condition": "SUCCESS"}],
        }
    ),
    **{
        f"{name} is {json.dumps(value)}": _spec(**{name: value})
        for name in SPEC
        for value in _WRONG_IN_SPECS
        # A push to another repository is not for the app.
        if not (name == "repository" and isinstance(value, str))
    },
    **{
        f"web.{name} is {json.dumps(value)}": _containers(
            web={**SPEC["containers"]["web"], name: value}
        )
        for name in ("image", "command", "ports", "dependsOn", "environment", "healthCheck")
        for value in _WRONG_IN_SPECS
    },
}


# Images, as ECR hands them out.


def _of_images() -> Iterator[Scenario]:
    for row, config in _CONFIGS.items():
        yield _refusing("image configuration: " + row, _with_config(config), ["REFUSED"])
    for row, manifest in _MANIFESTS.items():
        yield _refusing("manifest: " + row, _with_manifest(manifest), ["REFUSED"])


def _config(**changes: object) -> bytes:
    usual: Json = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["gunicorn", "x"]}}
    return json.dumps({**usual, **changes}).encode()


_NO_ARGV: Values = ("x", {}, ["\ud800"], [None])
_NO_TEXTS: Values = (7, "x", ["x"], "\ud800")
_CONFIGS: Mapping[str, bytes] = {
    "empty": b"",
    "no object": b"[]",
    "null": b"null",
    "invalid UTF-8": b'{"architecture": "\xff\xfe"}',
    "nested lists": b"[" * _DEEP,
    "nested objects": b'{"a":' * _DEEP,
    "6 MB": _config(history="x" * 6 * 1024 * 1024),
    "a number of 5,000 digits": b'{"architecture": ' + b"9" * 5000 + b"}",
    "escapes": _config(architecture=_ESCAPES),
    "an architecture of 100,000 letters": _config(architecture="x" * 100_000),
    **{
        f"{name} is {json.dumps(value)}": _config(config={"Cmd": ["gunicorn", "x"], name: value})
        for name in ("Cmd", "Entrypoint")
        for value in _NO_ARGV
    },
    **{
        f"{name} is {json.dumps(value)}": _config(**{name: value})
        for name in ("architecture", "config")
        for value in _NO_TEXTS
    },
}


def _with_config(config: bytes) -> Act:
    def act(world: World) -> str:
        digest = images.digest_of(config)
        world.account.blobs.add(digest, config)
        descriptor = {"mediaType": images.CONFIG, "size": len(config), "digest": digest}
        manifest = {"schemaVersion": 2, "mediaType": images.MANIFEST, "config": descriptor}
        return _pushed(world, {**manifest, "layers": []}, images.MANIFEST)

    return act


def _index(*manifests: object, **changes: object) -> Json:
    return {"schemaVersion": 2, "mediaType": images.INDEX, "manifests": list(manifests), **changes}


def _single(config: object, **changes: object) -> Json:
    return {"schemaVersion": 2, "mediaType": images.MANIFEST, "config": config, **changes}


_NO_DIGESTS: Values = (*(None, 7, "", [], {"a": 1}, "../../x", _ESCAPES, "\ud800", "x" * 10_000),)
_LINUX = {"os": "linux", "architecture": "amd64"}
_NO_LISTS: Values = (7, "x", {}, [7])
_NO_PLATFORMS: Values = (7, "x", ["x"], {"os": ["linux"], "architecture": {}})
_MANIFESTS: Mapping[str, Json] = {
    "no configuration": _single(None),
    **{
        f"the digest of the configuration is {json.dumps(value)}": _single(
            {"mediaType": images.CONFIG, "digest": value}
        )
        for value in (*_NO_DIGESTS, _DIGEST)
    },
    "another platform": _index({"digest": _DIGEST, "platform": {"os": _ESCAPES}}),
    "10,000 platforms": _index(
        *({"digest": _DIGEST, "platform": {"os": f"os-{n}"}} for n in range(10_000))
    ),
    "an image that is not there": _index({"digest": _DIGEST, "platform": _LINUX}),
    **{
        f"the digest of the platform is {json.dumps(value)}": _index(
            {"digest": value, "platform": _LINUX}
        )
        for value in _NO_DIGESTS
    },
    **{
        f"a platform is {json.dumps(value)}": _index({"digest": _DIGEST, "platform": value})
        for value in _NO_PLATFORMS
    },
    **{f"manifests is {json.dumps(value)}": _index(manifests=value) for value in _NO_LISTS},
}


def _with_manifest(manifest: Json) -> Act:
    return lambda world: _pushed(world, manifest, manifest["mediaType"])


def _pushed(world: World, manifest: Json, media_type: str) -> str:
    digest = images.put(world.account, APP, "v2", manifest, media_type)  # type: ignore[arg-type]
    world.tell_of_push("v2", digest)
    return digest


def _refusing(row: str, act: Act, ends: Sequence[str]) -> Scenario:
    """A table of its own column: nothing is deployed, and the version before serves.

    The message has to name what `is` something that it must not be.
    """
    kind, _, what = row.partition(": ")
    name, is_named, _ = what.partition(" is ")

    def check(world: World, subject: str) -> Iterator[str]:
        yield from _is_readable(world, subject)
        if is_named and kind in ("by hand", "spec") and name not in text_of(world, subject):
            yield f"the message does not name {name}: {text_of(world, subject)}"

    return Scenario(
        row=" ".join(what.split())[:60],
        column=kind,
        act=act,
        prepare=_USUAL,
        ends=ends,
        check=check,
    )
