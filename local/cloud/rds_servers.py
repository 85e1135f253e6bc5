"""RDS instances with a real PostgreSQL behind them: what a snapshot keeps and a restore starts.

The engine only has records of them. A snapshot is a copy of the data directory, a restored instance
is a server with such a copy on a port of its own, and a deleted one leaves nothing. An instance is
real if its record has the port of a server that is known here; all others stay records.
"""

import contextlib
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from local.cloud import aws_rules
from local.cloud.aws_rules import Refusal
from local.cloud.errors import LocalCloudError
from local.cloud.postgres import Database, copy_data, running_server
from local.cloud.processes import LOOPBACK

logger = logging.getLogger(__name__)

CARRIED_OUT = (
    *("CreateDBSnapshot", "DeleteDBSnapshot"),
    *("RestoreDBInstanceFromDBSnapshot", "DeleteDBInstance"),
)
_PORT = re.compile(r"<Port>(\d+)<")
_INSTANCE = re.compile(r"<DBInstance>.*?</DBInstance>", re.DOTALL)
_NAME = re.compile(r"<DBInstanceIdentifier>([^<]*)<")
_STATUS = re.compile(r"<DBInstanceStatus>[^<]*<")
_ENDPOINT = re.compile(r"\s*<Endpoint>.*?</Endpoint>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL and the directory with its data."""

    database: Database
    data: Path


@dataclass(slots=True)
class _Restored:
    """A restored instance. `server` is None until it answers, and for ever if it `failed`."""

    port: int
    available_at: float
    starting: threading.Thread = field(default_factory=threading.Thread)
    running: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    server: Server | None = None
    failed: bool = False


class DatabaseServers:
    """The servers of an account: the one that was there, and those that were restored.

    `ports` are those that restored instances may have: containers reach no others.
    """

    def __init__(
        self,
        source: Server | None,
        ports: Sequence[int],
        directory: Path,
        takes: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._free = list(ports)
        self._directory = directory
        self._takes = takes.total_seconds()
        self._clock = clock
        self._snapshots: dict[str, Database] = {}
        self._restored: dict[str, _Restored] = {}

    def refusal(self, form: Mapping[str, str], progress: float) -> Refusal | None:
        """Refuse a restore of a snapshot that is not available, or for which nothing is left.

        Also refuse the deletion of an instance that is being made. AWS does not say whether RDS
        does. `progress` is that of the snapshot.
        """
        name = form.get("DBInstanceIdentifier", "")
        snapshot = form.get("DBSnapshotIdentifier", "")
        restored = self._restored.get(name)
        match form.get("Action"):
            case "DeleteDBInstance" if restored and self._status_of(restored) == "creating":
                return aws_rules.instance_not_available(name)
            case "RestoreDBInstanceFromDBSnapshot" if progress < 1:
                return aws_rules.snapshot_not_available(snapshot)
            case "RestoreDBInstanceFromDBSnapshot" if snapshot in self._snapshots:
                return None if self._free or restored else aws_rules.no_free_instance()
        return None

    def carry_out(self, form: Mapping[str, str], answer: bytes) -> None:
        """Do what the engine has only recorded, by its answer."""
        name = form.get("DBInstanceIdentifier", "")
        snapshot = form.get("DBSnapshotIdentifier", "")
        match form.get("Action"):
            case "CreateDBSnapshot":
                self._take(snapshot, self._server_of(name, answer))
            case "DeleteDBSnapshot":
                if self._snapshots.pop(snapshot, None):
                    shutil.rmtree(self._copy_of(snapshot))
            case "RestoreDBInstanceFromDBSnapshot" if snapshot in self._snapshots:
                self._restore(name, snapshot)
            case "DeleteDBInstance" if restored := self._restored.pop(name, None):
                self._delete(name, restored)

    def answer(self, body: bytes) -> bytes:
        """The engine's answer with status and endpoint of each restored instance in it."""
        if not self._restored:
            return body
        return _INSTANCE.sub(lambda match: self._shown(match[0]), body.decode()).encode()

    def close(self) -> None:
        """Stop the servers of all restored instances."""
        for name, restored in list(self._restored.items()):
            self._delete(name, restored)

    def _server_of(self, name: str, answer: bytes) -> Server | None:
        if (restored := self._restored.get(name)) is not None:
            return restored.server
        port, source = _PORT.search(answer.decode()), self._source
        is_real = source is not None and port and int(port[1]) == source.database.port
        return source if is_real else None

    def _copy_of(self, snapshot: str) -> Path:
        return self._directory / "snapshots" / snapshot

    def _take(self, snapshot: str, server: Server | None) -> None:
        if server is None:
            return
        copy_data(server.database, server.data, self._copy_of(snapshot))
        self._snapshots[snapshot] = server.database

    def _restore(self, name: str, snapshot: str) -> None:
        restored = _Restored(self._free.pop(0), self._clock() + self._takes)
        self._restored[name] = restored
        database = replace(self._snapshots[snapshot], port=restored.port)
        data = self._directory / name
        # Before the answer: the snapshot may be deleted right after it.
        shutil.copytree(self._copy_of(snapshot), data, copy_function=shutil.copyfile)
        data.chmod(0o700)
        restored.starting = threading.Thread(target=_start, args=(restored, database, data))
        restored.starting.start()

    def _delete(self, name: str, restored: _Restored) -> None:
        restored.starting.join()
        restored.running.close()
        for directory in (self._directory / name, self._directory / f"{name}-logs"):
            shutil.rmtree(directory, ignore_errors=True)
        self._free.append(restored.port)

    def _status_of(self, restored: _Restored) -> str:
        if restored.failed:
            return "incompatible-restore"
        is_ready = restored.server is not None and self._clock() >= restored.available_at
        return "available" if is_ready else "creating"

    def _shown(self, instance: str) -> str:
        name = _NAME.search(instance)
        restored = self._restored.get(name[1]) if name else None
        if restored is None:
            return instance
        status, endpoint = self._status_of(restored), ""
        if status == "available":
            address = f"<Address>{LOOPBACK}</Address><Port>{restored.port}</Port>"
            endpoint = f"<Endpoint>{address}</Endpoint>"
        instance = _STATUS.sub(f"<DBInstanceStatus>{status}<", instance, count=1)
        return _ENDPOINT.sub(endpoint, instance, count=1)


def _start(restored: _Restored, database: Database, data: Path) -> None:
    logs = data.with_name(f"{data.name}-logs")
    logs.mkdir()
    try:
        restored.running.enter_context(running_server(database, data, logs))
    except LocalCloudError as error:
        logger.warning("the restored database does not start: %s", error)
        restored.failed = True
    else:
        restored.server = Server(database, data)
