"""What subscribers get of the early and of the final message, delivered by the local engine."""

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import Any

import pytest

from lightgate.aws.sns import Topic
from lightgate.notifications.formats import machine, sns_message, subject
from lightgate.notifications.report import Report
from lightgate.records.recorded_outcome import Publication
from local.cloud.processes import LOOPBACK
from local.cloud.sns_inbox import Inbox
from tests.local.conftest import SOON, RunFrom
from tests.support.ended_releases import rolled_back
from tests.support.messages import failed_migration, linked

type Json = dict[str, Any]
type Connect = Callable[[str], Any]

# The events that Amazon Q Developer in chat applications takes: names and types of their members.
CHAT = {
    "version": str,
    "source": str,
    "id": str,
    "content": {
        "textType": str,
        "title": str,
        "description": str,
        "nextSteps": [str],
        "keywords": [str],
    },
    "metadata": {
        "threadId": str,
        "summary": str,
        "eventType": str,
        "relatedResources": [str],
        "additionalContext": dict,
    },
}


@pytest.fixture
def ended() -> Report:
    return linked(rolled_back())


@pytest.fixture
def publish(client: Connect, topic: str, run_from: RunFrom, ended: Report) -> Callable[[], None]:
    """Publish the early message as the state machine does, and then the final one."""

    def both() -> None:
        early = failed_migration()
        run = run_from(
            "HasEnded?",
            {
                "admission": {"release": {"app": ended.app, "stage": ended.stage}},
                "deployment": {
                    "status": "ACTIVATING",
                    "notice": {"subject": early.subject, "message": early.message},
                },
            },
            until="WaitForDeployment",
        )
        assert run.status == "SUCCEEDED"
        assert run.output is not None
        # The next check publishes nothing more.
        again = run_from("HasEnded?", run.output, until="WaitForDeployment")
        assert again.output == run.output
        sns = client("sns")
        Topic(sns, sns, topic).publish(
            Publication(
                app=ended.app,
                stage=ended.stage,
                status=ended.conclusion.outcome.value,
                subject=subject(ended),
                message=sns_message(ended),
            )
        )

    return both


class Endpoint:
    """A server that confirms its subscription, as the reference of SNS says, and keeps the rest."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._received: Queue[Json] = Queue()

    def take(self, kind: str, body: Json) -> None:
        if kind == "SubscriptionConfirmation":
            with urllib.request.urlopen(body["SubscribeURL"], timeout=10):
                return
        self._received.put(body)

    def receive(self, count: int) -> Sequence[Json]:
        return [self._received.get(timeout=SOON.total_seconds()) for _ in range(count)]

    @property
    def is_empty(self) -> bool:
        try:
            self._received.get(timeout=0.5)
        except Empty:
            return True
        return False


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            found.take(self.headers["x-amz-sns-message-type"], body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        found = Endpoint(f"http://{LOOPBACK}:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def test_a_queue_gets_both_messages_as_json_with_their_attributes(
    inbox: Inbox, publish: Callable[[], None], ended: Report
) -> None:
    publish()

    early, final = sorted(inbox.receive(3, SOON / 4), key=lambda one: one.attributes["status"])
    told = json.loads(early.text)
    assert (told["event"], told["status"]) == ("migration-failed", "IN_PROGRESS")
    assert early.attributes == {"app": ended.app, "stage": ended.stage, "status": "IN_PROGRESS"}
    assert json.loads(final.text) == json.loads(json.dumps(machine(ended)))
    assert final.attributes["status"] == json.loads(final.text)["status"] == "ROLLED_BACK"
    assert json.loads(final.text)["event"] == "release-ended"
    assert told["release"] == json.loads(final.text)["release"]


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("policy", "statuses"),
    [
        ({"status": ["FAILED", "ROLLED_BACK"]}, ["ROLLED_BACK"]),
        ({"status": [{"anything-but": ["IN_PROGRESS", "STARTED"]}]}, ["ROLLED_BACK"]),
        ({"app": ["crops-backend"], "stage": ["production"]}, ["IN_PROGRESS", "ROLLED_BACK"]),
        ({"app": ["herd-api"]}, []),
        ({"stage": ["staging"]}, []),
    ],
)
def test_a_filter_policy_selects_by_app_stage_and_status(
    client: Connect,
    topic: str,
    publish: Callable[[], None],
    policy: Json,
    statuses: Sequence[str],
) -> None:
    name = f"filtered-{topic.rpartition(':')[2]}"
    chosen = Inbox(client("sns"), client("sqs"), topic, name, filter_policy=policy)

    publish()

    found = chosen.receive(len(statuses) + 1, SOON / 4)
    assert sorted(one.attributes["status"] for one in found) == statuses


def test_an_http_endpoint_confirms_and_gets_the_json(
    client: Connect, topic: str, publish: Callable[[], None], ended: Report
) -> None:
    with endpoint() as server:
        client("sns").subscribe(TopicArn=topic, Protocol="http", Endpoint=server.url)

        publish()

        found = server.receive(2)
        assert server.is_empty
    told = {json.loads(one["Message"])["event"]: one for one in found}
    assert told.keys() == {"migration-failed", "release-ended"}
    final = told["release-ended"]
    assert (final["Type"], final["Subject"]) == ("Notification", subject(ended))
    assert json.loads(final["Message"]) == json.loads(json.dumps(machine(ended)))


def test_a_chat_gets_its_own_schema_over_https(
    client: Connect, topic: str, publish: Callable[[], None], ended: Report
) -> None:
    with endpoint() as server:
        # The engine picks the form by the protocol, and sends it to any address.
        client("sns").subscribe(TopicArn=topic, Protocol="https", Endpoint=server.url)

        publish()

        found = [json.loads(one["Message"]) for one in server.receive(2)]
    for event in found:
        assert list(strange(event, CHAT)) == []
        assert (event["version"], event["source"]) == ("1.0", "custom")
        assert event["content"]["textType"] == "client-markdown"
        assert len(event["content"]["title"]) < 100
        assert f"*Execution*: {ended.links.execution}" in event["content"]["description"]
    titles = sorted(event["content"]["title"] for event in found)
    assert [title.split()[2] for title in titles] == ["IN_PROGRESS", "ROLLED_BACK"]


def strange(event: object, schema: object, place: str = "") -> Iterator[str]:
    """What of the event is not in the schema."""
    match schema:
        case {} if isinstance(schema, Mapping) and isinstance(event, Mapping):
            for key, value in event.items():
                if key in schema:
                    yield from strange(value, schema[key], f"{place}.{key}")
                else:
                    yield f"{place}.{key}"
        case [kind] if isinstance(event, list):
            for each in event:
                yield from strange(each, kind, place)
        case type() if isinstance(event, schema):
            return
        case _:
            yield place
