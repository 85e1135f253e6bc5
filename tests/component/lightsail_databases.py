"""Lightsail's managed databases at the border to the client: moto has none.

What they answer is checked against the service model, and the requests are by botocore itself.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar
from uuid import uuid4

from botocore.model import OperationModel
from botocore.validate import validate_parameters

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


class LightsailDatabases:
    """Databases and snapshots by name. A snapshot stays `creating` until the test changes that.

    Nobody may delete those in `kept`. `newest` are the databases of the test that runs now.
    """

    newest: ClassVar["LightsailDatabases | None"] = None

    def __init__(self, client: Any) -> None:
        self.client = client
        LightsailDatabases.newest = self
        self.databases: dict[str, dict[str, Any]] = {}
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.kept: set[str] = set()
        self.page = 100
        self.interruptions = 0
        self.loses_the_answer_of: str | None = None
        client.meta.events.register("before-call.lightsail", self._answer)

    def add(self, name: str, **changes: Any) -> None:
        usual = {
            "name": name,
            "arn": f"arn:aws:lightsail:us-east-1:123456789012:RelationalDatabase/{uuid4()}",
            "state": "available",
            "backupRetentionEnabled": True,
        }
        self.databases[name] = {**usual, "latestRestorableTime": T0, **changes}

    def _answer(self, model: OperationModel, params: Any, **_: Any) -> Any:
        asked = json.loads(params["body"])
        refusal, answer = getattr(self, f"_{model.name}")(asked)
        if model.name == self.loses_the_answer_of:
            refusal, self.loses_the_answer_of = ("ServiceException", "lost"), None
        if refusal:
            code, message = refusal
            return SimpleNamespace(status_code=400), {
                "Error": {"Code": code, "Message": message},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
        validate_parameters(answer, model.output_shape)
        return SimpleNamespace(status_code=200), answer

    def _CreateRelationalDatabaseSnapshot(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        name = asked["relationalDatabaseSnapshotName"]
        if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,253}[A-Za-z0-9])", name):
            return ("InvalidInputException", f"The name {name} is invalid."), {}
        database = self.databases.get(asked["relationalDatabaseName"])
        if database is None:
            return ("NotFoundException", "no such database"), {}
        if name in self.snapshots:
            return ("InvalidInputException", f"Some names are already in use: {name}"), {}
        if database["state"] != "available":
            return ("InvalidInputException", f"The database is {database['state']}."), {}
        self.interruptions += 1
        self.snapshots[name] = {
            "name": name,
            "state": "creating",
            "createdAt": T0 + timedelta(minutes=len(self.snapshots)),
            "fromRelationalDatabaseName": database["name"],
            "fromRelationalDatabaseArn": database["arn"],
            "tags": asked["tags"],
        }
        return None, {"operations": []}

    def _GetRelationalDatabaseSnapshot(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        found = self.snapshots.get(asked["relationalDatabaseSnapshotName"])
        if found is None:
            return ("NotFoundException", "no such snapshot"), {}
        return None, {"relationalDatabaseSnapshot": found}

    def _GetRelationalDatabaseSnapshots(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        start = int(asked.get("pageToken", 0))
        found = list(self.snapshots.values())[start : start + self.page]
        more = start + self.page < len(self.snapshots)
        token = {"nextPageToken": str(start + self.page)} if more else {}
        return None, {"relationalDatabaseSnapshots": found, **token}

    def _DeleteRelationalDatabaseSnapshot(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        name = asked["relationalDatabaseSnapshotName"]
        if name in self.kept:
            return ("AccessDeniedException", f"not authorized to delete {name}"), {}
        if self.snapshots.pop(name, None) is None:
            return ("NotFoundException", "no such snapshot"), {}
        return None, {"operations": []}

    def _GetRelationalDatabase(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        found = self.databases.get(asked["relationalDatabaseName"])
        if found is None:
            return ("NotFoundException", "no such database"), {}
        return None, {"relationalDatabase": found}
