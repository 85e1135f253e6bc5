"""Everything around a release: an app with its database, image, secrets, service and audience."""

import copy
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from moto.ecr.models import ecr_backends

from lightgate.aws.dynamodb import as_values
from lightgate.aws.dynamodb_locks import Locks
from lightgate.aws.ecr import Registry
from lightgate.image.tags import TaggedImage
from lightgate.names import APP_TAG
from lightgate.release.lock import Lock
from tests.component import images, table
from tests.component.cloud import ACCOUNT, REGION, Cloud
from tests.component.lightsail_service import Course
from tests.component.rds_instance import Instance
from tests.support.rights.recorder import Recorder
from tests.workflow.functions import Functions
from tests.workflow.release_machine import STACK, Ended, ReleaseMachine, state_of
from tests.workflow.site import Site

type Json = dict[str, Any]

APP = "crops-backend"
MAILBOXES, EVIDENCE = "mailboxes", "evidence"
PASSWORD = "hunter2-in-the-database-url"
SECRET_KEY = "of-django-and-of-nobody-else"
SPEC: Json = {
    "serviceName": APP,
    "repository": APP,
    "tags": ["latest", "v*"],
    "stage": "production",
    "pollSeconds": 60,
    "database": {"instance": "crops-db", "keepSnapshots": 2},
    "environment": {"DJANGO_SETTINGS_MODULE": "crops.settings"},
    "secrets": {"DATABASE_URL": "secretsmanager:crops/db:url", "SECRET_KEY": "ssm:/crops/key"},
    "containers": {
        "migrate": {
            "command": ["python", "manage.py", "migrate", "--noinput"],
            "timeoutSeconds": 300,
        },
        "web": {
            "ports": {"8000": "HTTP"},
            "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
        },
    },
    "publicEndpoint": {"containerName": "web", "containerPort": 8000},
    # One check is enough by default.
    "verification": {"watchSeconds": 0, "answersNeeded": 1},
}


def spec(**changes: object) -> Json:
    """The usual spec with other members; None leaves one out."""
    changed = {**copy.deepcopy(SPEC), **changes}
    return {name: value for name, value in changed.items() if value is not None}


def unprotected() -> Json:
    return spec(publicEndpoint=None, unprotected=True)


def succeeded(*migrations: str, at: float = 30) -> Course:
    """The gate opens, and the deployment becomes active."""
    return Course(ends="ACTIVE", log=[*applied(*migrations, at=at), (at + 9, *SUCCEEDED)])


def migration_failed(migration: str, error: str, *before: str) -> Course:
    """A migration fails after others were applied, and Lightsail gives the deployment up.

    What served could work with all of them.
    """
    plan = {
        "event": "plan",
        "hash": "ab12",
        "count": len(before) + 1,
        "class": "compatible",
        "atomic": True,
    }
    failed = {
        "event": "failed",
        "cause": "exit",
        "error": error,
        "migration": migration,
        "exitCode": 1,
        "database": "part-way" if before else "unchanged",
        "lastLines": ["Traceback (most recent call last):", error],
    }
    log = [(10, "migrate", plan), *applied(*before)]
    log.append((30, "migrate", {"event": "applying", "migration": migration}))
    return Course(ends="FAILED", after=timedelta(seconds=400), log=[*log, (31, "migrate", failed)])


def applied(*migrations: str, at: float = 30) -> list[tuple[float, str, Json]]:
    log: list[tuple[float, str, Json]] = [(1, "migrate", {"event": "waiting", "for": []})]
    for migration in migrations:
        event = {"migration": migration}
        log += [
            (at, "migrate", {"event": "applying", **event}),
            (at, "migrate", {"event": "applied", "seconds": 0.5, **event}),
        ]
    return log


SUCCEEDED = ("migrate", {"event": "succeeded", "seconds": 9.0})


@dataclass(frozen=True, slots=True)
class Message:
    """One publication as a queue that subscribed to the topic gets it."""

    subject: str
    attributes: Mapping[str, str]
    text: str

    @property
    def content(self) -> Json:
        content: Json = json.loads(self.text)
        return content


class World:
    """The account, with the stack in it and the app `crops-backend`, of which v1 is pushed."""

    def __init__(self, cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        self.clock = cloud.clock
        self.lightsail = cloud.lightsail
        self.started_at: datetime = cloud.clock.now()
        self._numbers = itertools.count(1)
        self._readers: dict[str, None] = {}
        self.early: list[Message] = []
        self.topic, self._queue = self._topic(), self._subscribed_queue()
        cloud.client("sns").subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint="arn:aws:sqs:us-east-1:123456789012:people",
        )
        self.table = table.create(cloud)
        environment = {
            "LIGHTGATE_STACK": STACK,
            "LIGHTGATE_TABLE": table.NAME,
            "LIGHTGATE_TOPIC": self.topic,
            "LIGHTGATE_APPS_PATH": f"/{STACK}/apps",
            "LIGHTGATE_MAILBOX_BUCKET": MAILBOXES,
            "LIGHTGATE_EVIDENCE_BUCKET": EVIDENCE,
            "LIGHTGATE_MAILBOX_ROLE": "arn:aws:iam::123456789012:role/mailboxes",
        }
        for bucket in (MAILBOXES, EVIDENCE):
            cloud.client("s3").create_bucket(Bucket=bucket)
        self.site = Site(lambda: self.lightsail.serving(APP))
        self.functions = Functions(patch, cloud.clock, self.site, environment)
        self.machine = ReleaseMachine(cloud, self.functions, self.topic, patch)
        self.rights = Recorder(self._caller)
        cloud.see = self.rights.see
        patch.setenv("LIGHTGATE_STATE_MACHINE", self.machine.arn)
        self._secrets()
        self.put_spec(SPEC)
        self.instance = Instance(cloud, "crops-db", patch)
        images.create_repository(cloud, APP)
        self.digest = images.push(cloud, APP, "latest")
        self.lightsail.add(APP)
        self.previous = self.lightsail.deploy_by_somebody(APP)

    def _caller(self) -> str | None:
        """The logical id of the function, or of the state machine, that calls AWS now."""
        name = self.functions.running
        return f"{state_of(name)}Function" if name else self.machine.caller

    def release(
        self, request: object = None, *, course: Course | None = None, **members: Any
    ) -> Ended:
        """Run one execution to its end. `members` are those of its input beside the app."""
        if course is not None:
            self.lightsail.courses.append(course)
        name = f"by-hand-{next(self._numbers)}"
        return self.machine.run({"app": APP, **members} if request is None else request, name)

    def put_spec(self, document: Json | str, app: str = APP) -> None:
        self.cloud.client("ssm").put_parameter(
            Name=f"/{STACK}/apps/{app}",
            Value=document if isinstance(document, str) else json.dumps(document),
            Type="String",
            Tier="Advanced",
            Overwrite=True,
        )
        self._let_read_secrets(app)

    def _let_read_secrets(self, app: str) -> None:
        """Tag the usual secrets, which the spec of each app refers to."""
        self._readers = dict.fromkeys([*self._readers, app])
        tags = [{"Key": APP_TAG, "Value": " ".join(self._readers)}]
        self.cloud.client("secretsmanager").tag_resource(SecretId="crops/db", Tags=tags)
        self.cloud.client("ssm").add_tags_to_resource(
            ResourceType="Parameter", ResourceId="/crops/key", Tags=tags
        )

    def records(self) -> dict[str, Json]:
        """The recorded outcome of each release, by app and release."""
        return {
            f"{item['app']['S']} {item['item']['S']}": as_values(item)["outcome"]
            for item in self.items()
            if "outcome" in item
        }

    def items(self) -> list[Json]:
        """Everything in the table, as DynamoDB has it."""
        found: list[Json] = self.cloud.client("dynamodb").scan(TableName=table.NAME)["Items"]
        return found

    def images(self) -> list[TaggedImage]:
        """What is in the registry."""
        return list(Registry(self.cloud.client("ecr")).tagged_images(APP))

    def pushed_at(self, digest: str, at: datetime) -> None:
        """Let the image have been pushed then, to the second."""
        repository = ecr_backends[ACCOUNT][REGION].repositories[APP]
        [image] = [each for each in repository.images if each.get_image_digest() == digest]
        image.image_pushed_at = int(at.timestamp())

    @property
    def lock(self) -> Lock:
        return self.turn_of(APP)

    def turn_of(self, app: str) -> Lock:
        return Locks(self.table).read(app)

    def empty_table(self) -> None:
        table.empty(self.cloud)

    def statuses(self) -> list[str]:
        """How each release on record stands, by the time of its start."""
        of_releases = [
            item
            for item in self.items()
            if item["item"]["S"].startswith("release#") and "causedBy" not in item
        ]
        ordered = sorted(of_releases, key=lambda item: item["item"]["S"])
        return [item["status"]["S"] for item in ordered]

    def record(self) -> Json:
        """The outcome of the only release."""
        [record] = self.records().values()
        return record

    def messages(self) -> list[Message]:
        """What was published since this was last asked.

        Messages that a migration has failed go to `early`: the tests are of what follows.
        """
        sqs, found = self.cloud.client("sqs"), []
        while batch := sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for each in batch:
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=each["ReceiptHandle"])
                body = json.loads(each["Body"])
                attributes = {k: v["Value"] for k, v in body["MessageAttributes"].items()}
                message = Message(body["Subject"], attributes, body["Message"])
                is_early = attributes["status"] == "IN_PROGRESS"
                (self.early if is_early else found).append(message)
        return found

    def message(self) -> Message:
        """The only publication."""
        [message] = self.messages()
        return message

    def waited(self) -> timedelta:
        return self.clock.now() - self.started_at

    def _topic(self) -> str:
        arn: str = self.cloud.client("sns").create_topic(Name="outcomes")["TopicArn"]
        return arn

    def _subscribed_queue(self) -> str:
        url: str = self.cloud.client("sqs").create_queue(QueueName="people")["QueueUrl"]
        return url

    def put_key(self, value: str) -> None:
        """Store another value of the secret key."""
        self.cloud.client("ssm").put_parameter(
            Name="/crops/key", Value=value, Type="SecureString", Overwrite=True
        )

    def _secrets(self) -> None:
        self.cloud.client("secretsmanager").create_secret(
            Name="crops/db", SecretString=json.dumps({"url": f"postgres://crops:{PASSWORD}@db/c"})
        )
        self.put_key(SECRET_KEY)
