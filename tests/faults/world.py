"""One app with its database, images, secrets and audience, and what became of its releases.

Everything is done and seen through events, calls of AWS and the state machine.
"""

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, timedelta

import pytest

from tests.component import images
from tests.component.cloud import ACCOUNT, REGION
from tests.faults.account import INSTANCE, Account
from tests.faults.executions import Execution, Executions, StoppedError, TaskError, Tasks
from tests.faults.gate import COMMAND, MIGRATE, RELEASE, Gate, Plan
from tests.faults.stack import NAME, Json, Stack

APP = "crops-backend"
CANARIES = ("hunter2-in-the-database-url", "of-django-and-of-nobody-else")
FINAL = ("SUCCEEDED", "ROLLED_BACK", "FAILED", "REFUSED")
SPEC: Json = {
    "serviceName": APP,
    "repository": APP,
    "tags": ["latest", "v*"],
    "stage": "production",
    "pollSeconds": 60,
    "database": {"instance": INSTANCE, "keepSnapshots": 2},
    "secrets": {"DATABASE_URL": "secretsmanager:crops/db:url", "SECRET_KEY": "ssm:/crops/key"},
    "containers": {
        MIGRATE: {"command": ["python", "manage.py", "migrate"], "timeoutSeconds": 300},
        "web": {
            "ports": {"8000": "HTTP"},
            "dependsOn": [{"containerName": MIGRATE, "condition": "SUCCESS"}],
        },
    },
    "publicEndpoint": {"containerName": "web", "containerPort": 8000},
    "verification": {"watchSeconds": 10, "answersNeeded": 2, "failuresInARow": 2},
}
_NEVER = 10**6
_RECONCILE_EVERY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release on record. `execution` is the ARN of the one that did it, if any."""

    id: str
    status: str
    execution: str


class World:
    """The account with the stack in it, the app, and version 1 as it serves."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.account = Account(patch)
        self.clock = self.account.clock
        self.stack = Stack(self.account)
        self.tasks = Tasks(self.account, self.stack)
        self.executions = Executions(self.account, self.stack, self.tasks)
        self.plans: dict[str, Plan] = {}
        self.command_plan = Plan()
        self.gates: list[Gate] = []
        self.digests: dict[str, str] = {}
        self.is_over = False
        # How often and when the event of a push is delivered.
        self.deliveries = 1
        self.delay = timedelta()
        self.pushes = 0
        self._bad_tags: set[str] = set()
        self._bad_from = _NEVER
        self.messages: list[Json] = []
        self.account.add_service(APP, self.does_well)
        self._secrets()
        self.put_spec(SPEC)
        self.account.client("ecr").create_repository(repositoryName=APP)
        self.clock.watch(self._gates)

    def put_spec(self, document: Json) -> None:
        self.account.client("ssm").put_parameter(
            Name=f"/{NAME}/apps/{APP}",
            Value=json.dumps(document),
            Type="String",
            Tier="Advanced",
            Overwrite=True,
        )

    def push_image(self, tag: str, plan: Plan | None = None) -> str:
        """An image in ECR, whose gate has this plan."""
        digest = images.push(self.account, APP, tag, name=tag)  # type: ignore[arg-type]
        self.plans[digest.removeprefix("sha256:")[:12]] = plan or Plan()
        self.digests[tag] = digest
        return digest

    def push(self, tag: str, plan: Plan | None = None) -> str:
        """The same with its event, to the end."""
        digest = self.push_image(tag, plan)
        self.tell_of_push(tag, digest)
        return digest

    def tell_of_push(self, tag: str, digest: str) -> None:
        self.pushes += 1
        event = {
            "id": f"event-{self.pushes}",
            "detail-type": "ECR Image Action",
            "source": "aws.ecr",
            "account": ACCOUNT,
            "region": REGION,
            "time": self.clock.now().astimezone(UTC).isoformat(),
            "detail": {
                "result": "SUCCESS",
                "action-type": "PUSH",
                "repository-name": APP,
                "image-digest": digest,
                "image-tag": tag,
                "manifest-media-type": images.MANIFEST,
                "artifact-media-type": images.CONFIG,
            },
        }
        self.clock.sleep(self.delay.total_seconds())
        for _ in range(self.deliveries):
            self.tasks.invoke_by_event("ReceivePushFunction", event)
        self.executions.run_all()

    def by_hand(self, name: str, **request: object) -> str:
        execution = self.executions.start({"app": APP, **request}, name)
        self.executions.run_all()
        return execution.name

    def fails_its_watch(self, tag: str) -> None:
        """Let every version with the image of this tag answer badly."""
        self._bad_tags.add(tag)

    def fails_from_next(self) -> None:
        """Let the app answer badly from its next version on, whatever its image is."""
        self._bad_from = max(self.account.lightsail.deployments(APP)) + 1

    def does_well(self) -> bool:
        """Whether what serves answers well."""
        serving = self.account.lightsail.serving(APP)
        return serving is not None and self._is_good(serving)

    def heal(self) -> None:
        """From now on all goes well for the next release."""
        self.deliveries, self.delay, self.clock.skew = 1, timedelta(), timedelta()
        self.account.wire.fault = None

    def stop_unheard_at(self, state: str) -> None:
        """Let the next execution be stopped there, and no event tell of it."""

        def stop(execution: Execution) -> None:
            if execution.state == state:
                self.executions.before_state = lambda _: None
                self.executions.unheard.add(execution.arn)
                raise StoppedError

        self.executions.before_state = stop

    def reconcile(self) -> None:
        """The next of the looks that are scheduled."""
        self.clock.sleep(_RECONCILE_EVERY.total_seconds())
        with contextlib.suppress(TaskError):
            self.tasks.invoke("ReconcileFunction", {})
        self.executions.run_all()

    # What can be seen.

    def work_again(self) -> None:
        """Let every version answer well from now on."""
        self._bad_tags.clear()
        self._bad_from = _NEVER

    def items(self) -> list[Json]:
        found: list[Json] = self.account.client("dynamodb").scan(TableName=self.stack.table)[
            "Items"
        ]
        return found

    def releases(self) -> list[Release]:
        """All on record, the oldest first."""
        found = [
            Release(
                id=item["item"]["S"].removeprefix("release#"),
                status=item["status"]["S"],
                execution=item.get("execution", {}).get("S", ""),
            )
            for item in self.items()
            if item["item"]["S"].startswith("release#")
        ]
        return sorted(found, key=lambda each: each.id)

    def receive(self) -> list[Json]:
        """All messages so far, as a queue that subscribed to the topic gets them."""
        sqs = self.account.client("sqs")
        queue = self.stack.queue
        while batch := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for each in batch:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
                body = json.loads(each["Body"])
                self.messages.append({"raw": each["Body"], **json.loads(body["Message"])})
        return self.messages

    def markers(self) -> dict[int, str]:
        """The release in each deployment that Lightgate has made, by version."""
        service = self.account.lightsail.services[APP].service
        return {
            each.version: marker
            for each in service.deployments
            if (marker := each.containers["web"].environment.get(RELEASE)) is not None
        }

    def live(self) -> str | None:
        """The marker of what serves."""
        serving = self.account.lightsail.serving(APP)
        return None if serving is None else self.markers().get(serving)

    def applied_by(self, release: str) -> list[str]:
        return [m for gate in self._of(release) for m in gate.applied]

    def planned_by(self, release: str) -> list[str]:
        return [m for gate in self._of(release) for m in gate.plan.migrations]

    def plan_of(self, release: str) -> Plan:
        [first, *_] = [gate.plan for gate in self._of(release) if gate.plan.migrations]
        return first

    def everything_written(self) -> str:
        """The table, the bucket, the messages and the history of the executions."""
        s3, bucket = self.account.client("s3"), self.stack.bucket
        objects = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        bodies = [s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read() for o in objects]
        said = [text for execution in self.executions.all for text in execution.said]
        return "\n".join(
            [
                json.dumps(self.items(), default=str),
                *(body.decode(errors="replace") for body in bodies),
                *said,
                json.dumps(self.receive(), default=str),
            ]
        )

    def _of(self, release: str) -> list[Gate]:
        return [gate for gate in self.gates if gate.environment[RELEASE] == release]

    def _gates(self) -> None:
        service = self.account.lightsail.services[APP].service
        known = {(gate.deployment.version, gate.container) for gate in self.gates}
        for deployment in service.deployments:
            for name in (MIGRATE, COMMAND):
                container = deployment.containers.get(name)
                if container is None or RELEASE not in container.environment:
                    continue
                if (deployment.version, name) not in known:
                    plan = self._plan(name, container.image)
                    self.gates.append(Gate(self.account, APP, name, deployment, plan))
        if self.account.lightsail.switches.unhealthy_active == "relaunch" and not self.does_well():
            serving = self.account.lightsail.serving(APP)
            for gate in self.gates:
                if gate.is_over and gate.deployment.version == serving:
                    gate.launch_again()
        for gate in self.gates:
            gate.act()

    def _plan(self, container: str, image: str) -> Plan:
        """What is left to do for the gate."""
        if container == COMMAND:
            return self.command_plan
        done = {m for gate in self.gates for m in gate.applied}
        plan = self.plans[image.rpartition("lightgate-")[2]]
        left = tuple(m for m in plan.migrations if m not in done)
        return Plan(migrations=left, fails=plan.fails, effect=plan.effect)

    def _is_good(self, version: int) -> bool:
        images_of = self.account.lightsail.deployment(APP, version).containers.values()
        bad = [self.digests[tag].removeprefix("sha256:")[:12] for tag in self._bad_tags]
        return version < self._bad_from and not any(
            container.image.endswith(tag) for container in images_of for tag in bad
        )

    def _secrets(self) -> None:
        password, key = CANARIES
        self.account.client("secretsmanager").create_secret(
            Name="crops/db", SecretString=json.dumps({"url": f"postgres://crops:{password}@db/c"})
        )
        self.account.client("ssm").put_parameter(Name="/crops/key", Value=key, Type="SecureString")
