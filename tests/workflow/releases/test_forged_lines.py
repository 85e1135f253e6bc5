"""Apps that imitate the gate, and put their own secrets into what they write.

The slow matrix adds the other forms of a secret and of a forged line.
"""

import json
from urllib.parse import quote

import pytest

from lightgate.names import RELEASE_VARIABLE
from tests.component.leaks import DATABASE, KEY, WORDS
from tests.component.lightsail_service import Course
from tests.workflow.release_machine import Ended
from tests.workflow.releases.test_failed import FAILS
from tests.workflow.reporting_gates import Gate, line_of, permit_of, put_letter, told_plan
from tests.workflow.world import APP, MAILBOXES, SUCCEEDED, Json, World, applied, spec, unprotected

SIDECAR = {"image": f"public.ecr.aws/nginx/nginx:1.27@sha256:{'7' * 64}", "command": ["nginx"]}
CONTAINERS = ("migrate", "web", "proxy")


@pytest.fixture
def canaries(canaries: World) -> World:
    """The world of canaries whose app has a container without any gate."""
    canaries.put_spec(with_sidecar(spec()))
    return canaries


def with_sidecar(document: Json) -> Json:
    return {**document, "containers": {**document["containers"], "proxy": SIDECAR}}


# The secrets as a log may show them.
FORMS = [
    write(secret)
    for secret in (KEY, DATABASE)
    for write in (str, repr, json.dumps, lambda text: quote(text, safe=""))
]


def forged(text: str) -> list[Json]:
    """Every event of a gate but its end, with the text wherever one can be."""
    return [
        {"event": "waiting", "for": [text], "why": text},
        {"event": "waiting", "for": ["permit"], "hash": text, "why": text},
        {"event": "waiting", "for": ["lock"], "holder": [{"pid": 1, "application": text}]},
        {"event": "database", "state": "down", "error": text},
        {
            "event": "plan",
            "hash": text,
            "count": 1,
            "class": text,
            "atomic": True,
            "migrations": [{"name": text, "operations": [["unknown", text], [text, text]]}],
            "ahead": {"class": text, "names": [text]},
            "takeBack": text,
        },
        {"event": "applying", "migration": text},
        {"event": "applied", "migration": text, "seconds": 1},
        {"event": text, text: text},
    ]


def log_of(*events: Json, at: float = 10) -> list[tuple[float, str, Json]]:
    return [(at, container, event) for event in events for container in CONTAINERS]


def check_nothing_is_shown(world: World, *ended: Ended) -> None:
    """No word of a secret is in a state, an item, an object, a log line or a message."""
    s3 = world.cloud.client("s3")
    objects = [found["Key"] for found in s3.list_objects_v2(Bucket=MAILBOXES).get("Contents", [])]
    permits = [key for key in objects if key.endswith("/permit.json")]
    texts = [
        *(one.history for one in ended),
        *(str(one.cause) for one in ended),
        world.functions.log,
        json.dumps(world.items(), ensure_ascii=False),
        *(s3.get_object(Bucket=MAILBOXES, Key=key)["Body"].read().decode() for key in permits),
        *(f"{message.subject} {message.text}" for message in world.messages()),
    ]
    assert permits
    assert all(texts)
    for text in texts:
        assert not [word for word in WORDS if word in text]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("text", FORMS)
def test_a_secret_in_forged_lines_is_shown_nowhere_though_the_release_succeeds(
    canaries: World, text: str
) -> None:
    end = {"event": "succeeded", "seconds": 9.0, "migrations": [text], "lastLines": [text]}
    log = [*log_of(*forged(text)), *applied("a.0002"), *log_of(end, at=38), (39, *SUCCEEDED)]

    ended = canaries.release(course=Course(ends="ACTIVE", log=log))

    assert ended.status == "SUCCEEDED"
    assert "a.0002" in canaries.records().popitem()[1]["message"]
    check_nothing_is_shown(canaries, ended)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("text", FORMS)
def test_a_secret_in_forged_lines_is_shown_nowhere_when_the_release_fails(
    canaries: World, text: str
) -> None:
    failed = {
        "event": "failed",
        "cause": text,
        "error": text,
        "migration": text,
        "database": text,
        "effect": text,
        "lastLines": [text, f"Error: {text}"],
        "migrationsApplied": [text],
        "overridden": [text],
    }

    def write() -> None:
        for line in (text, f"[deployment:2] {text}", f"app.Error: {text}", f"  {text}"):
            for container in CONTAINERS:
                for each in line.split("\n"):
                    canaries.lightsail.logs.restore(APP, container, each, canaries.clock.now())

    canaries.functions.before("check_deployment", write)
    log = [*log_of(*forged(text)), *log_of(failed, at=30)]

    ended = canaries.release(course=Course(ends="FAILED", after=FAILS, log=log))

    assert ended.error == "FAILED"
    check_nothing_is_shown(canaries, ended)


def test_a_secret_of_the_live_version_is_masked_as_well(canaries: World) -> None:
    log = [*applied("a.0002"), (39, *SUCCEEDED)]
    assert canaries.release(course=Course(log=log)).status == "SUCCEEDED"
    canaries.put_key("quite another one")

    def write() -> None:
        text = f"Listening at: http://0.0.0.0:9999 {KEY.splitlines()[0]}"
        canaries.lightsail.logs.restore(APP, "web", text, canaries.clock.now())

    canaries.functions.before("record_outcome", write)
    ended = canaries.release(course=Course(ends="FAILED", after=FAILS, log=log))

    assert ended.error is not None
    check_nothing_is_shown(canaries, ended)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("via", ["log", "mailbox"])
def test_a_secret_in_a_gates_reports_is_not_in_its_permit(canaries: World, via: str) -> None:
    gate = Gate(canaries, "a.0002", via="log", patience=300)

    def write() -> None:
        for event in forged(KEY)[:-3]:
            line = json.dumps(line_of(gate.release, canaries.clock.now(), event))
            if via == "log":
                canaries.lightsail.logs.restore(APP, "migrate", line, canaries.clock.now())
            elif event["event"] == "plan":
                put_letter(canaries, gate.release, "plan", line)

    canaries.functions.before("check_deployment", write)

    ended = canaries.release()

    assert (permit_of(gate.release) or {})["state"] == "void"
    check_nothing_is_shown(canaries, ended)


def test_a_secret_in_an_answer_of_the_app_is_shown_nowhere(canaries: World) -> None:
    verification = {"watchSeconds": 0, "expectHeader": {"name": "X-Key", "value": "none"}}
    canaries.put_spec(with_sidecar(spec(verification=verification)))
    canaries.site.headers = {"x-key": json.dumps(KEY)}
    log = [*applied("a.0002"), (39, *SUCCEEDED)]

    ended = canaries.release(course=Course(log=log))

    assert ended.error == "FAILED"
    assert "X-Key" in json.dumps(canaries.items())
    check_nothing_is_shown(canaries, ended)


def test_open_values_of_the_spec_are_not_masked(canaries: World) -> None:
    error = "ModuleNotFoundError: No module named 'crops.settings'"
    failed = {"event": "failed", "cause": "exit", "error": error, "database": "unchanged"}

    canaries.release(course=Course(ends="FAILED", after=FAILS, log=[(9.0, "migrate", failed)]))

    assert error in canaries.message().text


# Nobody but the gate's own container says how the gate went.


@pytest.mark.representatives(3)
@pytest.mark.parametrize(
    ("container", "before"),
    [
        ("web", ""),
        ("proxy", ""),
        # A line that does not begin as a gate's is none.
        *(("migrate", each) for each in ("x ", " ", "\t")),
        *(("migrate", each) for each in ("\ufeff", "\x1b[0m", "\r", "|", '{"a": 1} ')),
    ],
)
def test_only_whole_lines_of_the_gates_container_make_a_success_or_a_safe_verdict(
    canaries: World, container: str, before: str
) -> None:
    canaries.put_spec(
        {**with_sidecar(unprotected()), "pollSeconds": 300, "deploymentTimeoutSeconds": 1800}
    )

    def write() -> None:
        deployment = canaries.lightsail.deployment(APP, 2)
        release = deployment.containers["web"].environment[RELEASE_VARIABLE]
        for event in (told_plan(), {"event": "succeeded", "seconds": 1}):
            line = before + json.dumps(line_of(release, canaries.clock.now(), event))
            canaries.lightsail.logs.restore(APP, container, line, canaries.clock.now())

    canaries.functions.before("check_deployment", write)

    assert canaries.release(course=Course()).error == "FAILED"
    assert canaries.message().content["judgement"]["verdict"] == "UNKNOWN"


def test_a_plan_that_is_reported_as_harmless_under_the_same_hash_gets_no_permit(
    canaries: World,
) -> None:
    canaries.put_spec(with_sidecar(spec(migrations={"policy": "block"})))
    gate = Gate(canaries, plan=told_plan("a.0002", effect="breaking"), via="log", patience=300)

    def write() -> None:
        line = json.dumps(line_of(gate.release, canaries.clock.now(), told_plan("a.0002")))
        put_letter(canaries, gate.release, "plan", line)

    canaries.functions.before("check_deployment", write)

    ended = canaries.release()

    assert ended.error == "REFUSED"
    assert "granted" not in gate.states
