"""Rehearsals in the world of the workflow tests, one state at a time."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.rds.models import rds_backends

from lightgate.aws.dynamodb_rehearsals import Rehearsals
from lightgate.names import REHEARSAL_PREFIX
from lightgate.records.release_record import ReadableRecord
from tests.component.cloud import ACCOUNT, REGION
from tests.component.lightsail_service import Course
from tests.support.state_machine import Executions
from tests.workflow.release_machine import STACK, folder
from tests.workflow.reporting_gates import told_plan
from tests.workflow.stepper import Stepper, Walk
from tests.workflow.world import APP, SUCCEEDED, Json, World, spec

ROOT = Path(__file__).parents[3]
DEFINITION: Json = json.loads((ROOT / "statemachine/rehearsal.asl.json").read_text())
VARIABLES: Json = {
    "databaseVariable": "DATABASE_URL",
    "environment": {"DJANGO_SETTINGS_MODULE": "crops.settings", "EMAIL_HOST": "none.invalid"},
    "secrets": {"DATABASE_URL": "secretsmanager:crops/db:url", "SECRET_KEY": "ssm:/crops/key"},
}
LIGHTSAIL_ACCOUNT = "170441448102"
MIGRATION = "crops.0002_size"
LOCK = [MIGRATION, "crops_harvest", "AccessExclusiveLock", 3.2, 3.2, 1]
"""As the gate tells it: its longest time in seconds, all times together, and how often."""


def rehearsed(*locks: Sequence[object], migration: str = MIGRATION) -> Course:
    """The gate applies a migration, and has measured these locks."""
    measured = {
        "migrations": [[migration, 4.5]],
        "locks": [list(lock) for lock in locks],
        "tables": [["crops_harvest", 2_000_000, True, None]],
        "unread": [],
        "upperBound": False,
        "sampleSeconds": 0.02,
    }
    log = [
        (20, "migrate", told_plan(migration)),
        (30, "migrate", {"event": "applying", "migration": migration}),
        (35, "migrate", {"event": "applied", "migration": migration, "seconds": 4.5}),
        (36, "migrate", {"event": "succeeded", "seconds": 9.0, "measured": measured}),
    ]
    return Course(ends="ACTIVE", after=timedelta(seconds=10), log=log)


def migrated(migration: str = MIGRATION, seconds: float = 5.1) -> Course:
    """The gate of a release applies the migration."""
    log = [
        (20, "migrate", told_plan(migration)),
        (25, "migrate", {"event": "applied", "migration": migration, "seconds": seconds}),
        (26, *SUCCEEDED),
    ]
    return Course(ends="ACTIVE", log=log)


def failed(error: str, migration: str = MIGRATION) -> Course:
    gone_wrong = {"event": "failed", "cause": "exit", "error": error, "migration": migration,
                  "exitCode": 1, "database": "unchanged", "lastLines": [error]}  # fmt: skip
    log = [
        (20, "migrate", told_plan(migration)),
        (30, "migrate", {"event": "applying", "migration": migration}),
        (31, "migrate", gone_wrong),
    ]
    return Course(ends="ACTIVE", after=timedelta(seconds=10), log=log)


class RehearsalWorld(Executions[Walk]):
    """The usual world whose app can be rehearsed: with a snapshot, a list and a policy."""

    caller = "RehearsalStateMachine"

    def __init__(self, world: World, patch: pytest.MonkeyPatch) -> None:
        self.world = world
        patch.setenv("LIGHTGATE_STACK_ID", "arn:aws:cloudformation:us-east-1:1:stack/lightgate/77")
        # No execution goes on by itself.
        self.releases = Stepper(world, patch)
        client = world.cloud.client("stepfunctions")
        definition = json.loads(_with_functions(json.dumps(DEFINITION), world.topic))
        machine = client.create_state_machine(
            name=f"{STACK}-rehearsal",
            definition=json.dumps(definition),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/rehearsal",
        )["stateMachineArn"]
        super().__init__(definition, machine, client, lambda shown: Walk(self, shown))
        self.allow()
        self.put_spec()
        # The secrets have been stored a moment ago.
        world.clock.sleep(60)
        world.instance.snapshot_takes = timedelta(seconds=90)
        self.snapshot("crops-yesterday")
        world.clock.sleep(120)

    def put_spec(self, **changes: object) -> None:
        self.world.put_spec(spec(rehearsal={**VARIABLES, **changes}))

    def snapshot(self, name: str) -> None:
        self.world.cloud.client("rds").create_db_snapshot(
            DBInstanceIdentifier="crops-db", DBSnapshotIdentifier=name
        )

    def allow(self, pattern: str = f"{REHEARSAL_PREFIX}*") -> None:
        """Let the services of rehearsals pull."""
        role = f"arn:aws:iam::{LIGHTSAIL_ACCOUNT}:role/amazon/lightsail/{REGION}/containers"
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{LIGHTSAIL_ACCOUNT}:root"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "Condition": {"ArnLike": {"aws:PrincipalArn": f"{role}/{pattern}"}},
        }
        self.set_policy(statement)

    def set_policy(self, *statements: Json) -> None:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.world.cloud.client("ecr").set_repository_policy(
            repositoryName=APP, policyText=json.dumps(document)
        )

    def rehearse(self, *, course: Course | None = None, **members: object) -> Walk:
        """A whole rehearsal."""
        return self.begin(course=course, **members).run()

    def begin(self, *, course: Course | None = None, **members: object) -> Walk:
        self.world.lightsail.courses.append(course or rehearsed())
        name = f"by-hand-{len(self.all)}"
        return self.start({"app": APP, **members}, name)

    def run_all(self) -> None:
        """Every rehearsal and every release to its end, and those that they start."""
        while going := [*self.discover(), *self.releases.discover()]:
            going[0].run()

    @property
    def services(self) -> list[str]:
        return [name for name in self.world.lightsail.services if name != APP]

    @property
    def instances(self) -> dict[str, Any]:
        databases: dict[str, Any] = rds_backends[ACCOUNT][REGION].databases
        return {name: one for name, one in databases.items() if name != "crops-db"}

    def record(self) -> ReadableRecord:
        [found] = Rehearsals(self.world.table).history(APP)
        return found

    def reconcile(self) -> Json:
        return self.world.functions.call("reconcile", {})


def _with_functions(definition: str, topic: str) -> str:
    definition = definition.replace("${TopicArn}", topic)
    for name in ("Admit", "Prepare", "Run", "Remove", "Record"):
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{folder(f'{name}Rehearsal')}"
        definition = definition.replace(f"${{{name}RehearsalFunctionArn}}", arn)
    assert "${" not in definition
    return definition
