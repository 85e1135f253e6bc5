"""The connection of the command line to the account of a test."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lightgate_cli.connection import Connection, Target
from tests.component.cloud import REGION, shared_client
from tests.workflow.world import STACK, World

EVIDENCE = "evidence"


class WorldConnection(Connection):
    def __init__(self, world: World) -> None:
        super().__init__(Target(region=REGION))
        self._world = world
        self.reconcile_state = "ENABLED"

    def client(self, service: str, *, attempts: int = 3) -> Any:  # noqa: ARG002
        return shared_client(service)

    def now(self) -> datetime:
        return self._world.clock.now()

    @property
    def region(self) -> str:
        return REGION

    @property
    def parameters(self) -> Mapping[str, str]:
        return {"ReconcileState": self.reconcile_state}

    @property
    def stack_id(self) -> str:
        return "unknown"

    @property
    def outputs(self) -> Mapping[str, str]:
        return {
            "AppsPath": f"/{STACK}/apps",
            "StateMachineArn": self._world.machine.arn,
            "RehearsalStateMachineArn": f"{self._world.machine.arn[: -len('release')]}rehearsal",
            "TableName": self._world.table.name,
            "EvidenceBucketName": EVIDENCE,
        }
