"""One app with its database, images, secrets and audience, and what became of its releases.

Everything is done and seen through events, calls of AWS and the state machine.
"""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from functools import partial

import pytest

from local.lightsail.model import Deployment
from tests.component import images
from tests.component.cloud import ACCOUNT, REGION
from tests.faults.account import INSTANCE, Account
from tests.faults.executions import Execution, Executions, StoppedError, TaskError, Tasks
from tests.faults.gate import COMMAND, MIGRATE, RELEASE, Gate, Plan
from tests.faults.stack import NAME, Json, Stack

APP = "crops-backend"
CANARIES = ("hunter2-in-the-database-url", "of-django-and-of-nobody-else")
FINAL = ("SUCCEEDED", "ROLLED_BACK", "FAILED", "REFUSED")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app with a spec, a service, a repository, a database and secrets of its own.

    `secrets` is what the names of its secrets begin with, `canaries` their values.
    """

    name: str
    database: str
    secrets: str
    canaries: tuple[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """By these a call can be seen to be about it."""
        return self.name, self.database, f"{self.secrets}/"

    @property
    def spec(self) -> Json:
        return {
            **SPEC,
            "serviceName": self.name,
            "repository": self.name,
            "database": {**SPEC["database"], "instance": self.database},
            "secrets": {
                "DATABASE_URL": f"secretsmanager:{self.secrets}/db:url",
                "SECRET_KEY": f"ssm:/{self.secrets}/key",
            },
        }


CROPS = App(name=APP, database=INSTANCE, secrets="crops", canaries=CANARIES)
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
    # Not all health checks fit into one call.
    "verification": {
        "watchSeconds": 30,
        "latencySeconds": 30,
        "answersNeeded": 2,
        "failuresInARow": 2,
    },
}
_NEVER = 10**6
_RECONCILE_EVERY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release on record. `execution` is the ARN of the one that did it, if any."""

    id: str
    status: str
    execution: str
    app: str
    digest: str


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
        # What people mend once a release has ended.
        self.repairs: list[Callable[[], None]] = []
        self.apps: list[App] = []
        self._add(CROPS)
        self.clock.watch(self._gates)

    def add_app(self, app: App) -> None:
        """One more app in the same stack."""
        self.account.add_database(app.database)
        self._add(app)

    def _add(self, app: App) -> None:
        self.apps.append(app)
        self.account.wire.secret = [*self.account.wire.secret, *app.canaries]
        self.account.add_service(app.name, lambda: self.does_well(app))
        self._secrets(app)
        self.put_spec(app.spec, app)
        images.create_repository(self.account, app.name)  # type: ignore[arg-type]

    def put_spec(self, document: Json, app: App = CROPS) -> None:
        self.put_spec_text(json.dumps(document), app)

    def put_spec_text(self, text: str, app: App = CROPS) -> None:
        self.account.client("ssm").put_parameter(
            Name=f"/{NAME}/apps/{app.name}",
            Value=text,
            Type="String",
            Tier="Advanced",
            Overwrite=True,
        )

    def push_image(self, tag: str, plan: Plan | None = None, app: App = CROPS) -> str:
        """An image in ECR, whose gate has this plan."""
        digest = images.push(self.account, app.name, tag, name=tag)  # type: ignore[arg-type]
        self.plans[digest.removeprefix("sha256:")[:12]] = plan or Plan()
        self.digests[tag] = digest
        return digest

    def tag_image(self, tag: str, another: str) -> None:
        """Give an image that is in ECR another tag."""
        ecr = self.account.client("ecr")
        [image] = ecr.batch_get_image(repositoryName=APP, imageIds=[{"imageTag": tag}])["images"]
        ecr.put_image(repositoryName=APP, imageManifest=image["imageManifest"], imageTag=another)
        self.digests[another] = self.digests[tag]

    def push(self, tag: str, plan: Plan | None = None) -> str:
        """The same with its event, to the end."""
        digest = self.push_image(tag, plan)
        self.tell_of_push(tag, digest)
        return digest

    def tell_of_push(self, tag: str, digest: str) -> None:
        event = self.push_event(tag, digest)
        self.clock.sleep(self.delay.total_seconds())
        for _ in range(self.deliveries):
            self.tasks.invoke_by_event("ReceivePushFunction", event)
        self.executions.run_all()

    def push_event(self, tag: str, digest: str, app: App = CROPS) -> Json:
        """What ECR tells of a push of this moment."""
        self.pushes += 1
        return {
            "id": f"event-{self.pushes}",
            "detail-type": "ECR Image Action",
            "source": "aws.ecr",
            "account": ACCOUNT,
            "region": REGION,
            "time": self.clock.now().astimezone(UTC).isoformat(),
            "detail": {
                "result": "SUCCESS",
                "action-type": "PUSH",
                "repository-name": app.name,
                "image-digest": digest,
                "image-tag": tag,
                "manifest-media-type": images.MANIFEST,
                "artifact-media-type": images.CONFIG,
            },
        }

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

    def does_well(self, app: App = CROPS) -> bool:
        """Whether the live version is healthy."""
        runner = self.account.lightsail.services.get(app.name)
        if runner is None or runner.service.is_disabled or not self.account.database.answers:
            return False
        serving = runner.service.current_deployment
        return serving is not None and self._is_good(serving.version, app)

    def heal(self) -> None:
        """From now on all goes well for the next release."""
        self.deliveries, self.delay, self.clock.skew = 1, timedelta(), timedelta()
        self.account.wire.fault = self.account.wire.trouble = None
        for repair in self.repairs:
            repair()

    def stop_unheard_at(self, state: str) -> None:
        """Let the next execution be stopped there, and no event tell of it."""

        def stop(execution: Execution) -> None:
            if execution.state == state:
                self.executions.before_state = lambda _: None
                self.executions.unheard.add(execution.arn)
                raise StoppedError

        self.executions.before_state = stop

    def reconcile(self) -> None:
        """The next scheduled run of Reconcile."""
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
        pages = self.account.client("dynamodb").get_paginator("scan")
        return [item for p in pages.paginate(TableName=self.stack.table) for item in p["Items"]]

    def releases(self) -> list[Release]:
        """All on record, the oldest first."""
        found = [
            Release(
                id=item["item"]["S"].removeprefix("release#"),
                status=item["status"]["S"],
                execution=item.get("execution", {}).get("S", ""),
                app=item["app"]["S"],
                digest=item.get("digest", {}).get("S", ""),
            )
            for item in self.items()
            if item["item"]["S"].startswith("release#") and "causedBy" not in item
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

    def markers(self, app: App = CROPS) -> dict[int, str]:
        """The release in each deployment that Lightgate has made, by version."""
        return {
            each.version: marker
            for each in self._deployments(app)
            if (marker := each.containers["web"].environment.get(RELEASE)) is not None
        }

    def live(self, app: App = CROPS) -> str | None:
        """The marker of the live version."""
        serving = [each.version for each in self._deployments(app) if each.state == "ACTIVE"]
        return self.markers(app).get(serving[0]) if serving else None

    def reversed_by(self, release: str) -> list[str]:
        """The migrations that the command of its reversal has reversed."""
        return [m for gate in self._of(f"{release}-back") for m in gate.applied]

    def applied_by(self, release: str) -> list[str]:
        return [m for gate in self._of(release) for m in gate.applied]

    def planned_by(self, release: str) -> list[str]:
        return [m for gate in self._of(release) for m in gate.plan.migrations]

    def plan_of(self, release: str) -> Plan:
        [first, *_] = [gate.plan for gate in self._of(release) if gate.plan.migrations]
        return first

    def leaked(self, log: str) -> set[str]:
        """The secrets that were sent, logged, or are in the history of an execution."""
        said = "\n".join([log, *(text for each in self.executions.all for text in each.said)])
        return self.account.wire.leaked | {w for w in self.account.wire.secret if w in said}

    def _of(self, release: str) -> list[Gate]:
        return [gate for gate in self.gates if gate.environment[RELEASE] == release]

    def _deployments(self, app: App) -> Sequence[Deployment]:
        """None if there is no such service any more."""
        runner = self.account.lightsail.services.get(app.name)
        return runner.service.deployments if runner is not None else ()

    def _gates(self) -> None:
        there = set()
        known = {(gate.service, gate.deployment.created_at, gate.container) for gate in self.gates}
        for app in self.apps:
            for deployment in self._deployments(app):
                there.add((app.name, deployment.created_at))
                first = None
                for name in (COMMAND, MIGRATE):
                    container = deployment.containers.get(name)
                    if container is None or RELEASE not in container.environment:
                        continue
                    if (app.name, deployment.created_at, name) in known:
                        continue
                    is_back = container.environment[RELEASE].endswith("-back")
                    plan = self._plan(name, container.image, app, is_back=is_back)
                    gate = Gate(self.account, app.name, name, deployment, plan)
                    gate.record, gate.first = partial(self._done, app), first
                    first = gate if plan.reverses else None
                    self.gates.append(gate)
        if self.account.lightsail.switches.unhealthy_active == "relaunch":
            for app in self.apps:
                self._launch_unhealthy(app)
        with self.account.wire.of_nobody():
            for gate in self.gates:
                if (gate.service, gate.deployment.created_at) in there:
                    gate.act()

    def _launch_unhealthy(self, app: App) -> None:
        """Launch the live version again if it is unhealthy."""
        serving = self.account.lightsail.serving(app.name)
        for gate in self.gates if not self.does_well(app) else ():
            is_serving = (gate.service, gate.deployment.version) == (app.name, serving)
            if gate.is_over and is_serving:
                gate.launch_again()

    def _done(self, app: App) -> set[str]:
        """The migrations on record."""
        done: set[str] = set()
        for gate in self.gates:
            if gate.service == app.name and gate.plan.reverses:
                done -= set(gate.applied)
            elif gate.service == app.name:
                done |= set(gate.applied)
        return done

    def _plan(self, container: str, image: str, app: App, *, is_back: bool) -> Plan:
        """What is left to do for the gate."""
        plan = self.plans[image.rpartition("lightgate-")[2]]
        if container == COMMAND and is_back:
            return Plan(migrations=plan.migrations, effect=plan.effect, reverses=True)
        if container == COMMAND:
            return self.command_plan
        done = self._done(app)
        return replace(plan, migrations=tuple(m for m in plan.migrations if m not in done))

    def _is_good(self, version: int, app: App) -> bool:
        images_of = self.account.lightsail.deployment(app.name, version).containers.values()
        bad = [self.digests[tag].removeprefix("sha256:")[:12] for tag in self._bad_tags]
        return version < self._bad_from and not any(
            container.image.endswith(tag) for container in images_of for tag in bad
        )

    def _secrets(self, app: App) -> None:
        password, key = app.canaries
        self.account.client("secretsmanager").create_secret(
            Name=f"{app.secrets}/db",
            SecretString=json.dumps({"url": f"postgres://{app.secrets}:{password}@db/c"}),
            Tags=[{"Key": "lightgate:app", "Value": app.name}],
        )
        self.account.client("ssm").put_parameter(
            Name=f"/{app.secrets}/key",
            Value=key,
            Type="SecureString",
            Tags=[{"Key": "lightgate:app", "Value": app.name}],
        )
