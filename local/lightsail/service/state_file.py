"""The emulator's state on disk, with which a restart continues."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import shutil
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from local.lightsail.model import Service
from local.lightsail.service.logs import RETENTION, LogEvent, LogStore
from local.lightsail.service.region import Region

_LOG = logging.getLogger(__name__)
_FORMAT = 1
_SERVICE = TypeAdapter(Service)
_MAX_LOG_FILE = 32 * 1024 * 1024


class StateError(Exception):
    """The state directory cannot be used. The message is the reason."""


class Store:
    """Writes services and logs to a directory. Only one emulator can use it at a time."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "state.json"
        self._logs = directory / "logs"
        self._region: Region | None = None
        self._pending: asyncio.Handle | None = None
        self._sizes: Counter[Path] = Counter()
        self._lines: defaultdict[Path, list[str]] = defaultdict(list)
        self._writing: asyncio.Handle | None = None
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"another emulator uses the state directory {directory}") from None
        except OSError as problem:
            raise StateError(f"the state directory cannot be used: {problem}") from None

    async def attach(self, region: Region, logs: LogStore) -> None:
        """Restore the stored services and logs, and store every change from now on."""
        kept = self._read()
        services = [
            (_SERVICE.validate_python(entry["service"]), int(entry["port"]))
            for entry in kept.get("services", [])
        ]
        for service, _ in services:
            if service.scale > 1 and (why := region.network.why_one_node) is not None:
                raise StateError(
                    f'service "{service.name}" of {self._file} has scale {service.scale}: {why}'
                )
        region.own_switches = kept.get("switches", {})
        self._restore_logs(logs, region.clock())
        logs.on_event = self._append
        logs.on_forget = self._forget
        for service, port in services:
            runner = await region.add(service, port)
            runner.resume()
        self._region = region

    def save_soon(self) -> None:
        """Write the services soon, once for all changes of this moment."""
        if self._region is not None and self._pending is None:
            self._pending = asyncio.get_running_loop().call_soon(self._save)

    def close(self) -> None:
        """Write for the last time. Changes while the emulator ends are not stored."""
        if self._region is not None:
            self._save()
        if self._pending is not None:
            self._pending.cancel()
        if self._writing is not None:
            self._writing.cancel()
            self._write_lines()
        self._region = None

    def _save(self) -> None:
        self._pending = None
        if self._region is None:
            return
        content = {
            "format": _FORMAT,
            "switches": self._region.own_switches,
            "services": [
                {
                    "port": each.load_balancer.port,
                    "service": _SERVICE.dump_python(each.service, mode="json"),
                }
                for each in self._region.services.values()
            ],
        }
        unfinished = self._file.with_suffix(".unfinished")
        try:
            unfinished.write_text(json.dumps(content))
            unfinished.replace(self._file)
        except OSError as problem:
            _LOG.warning("the state could not be kept: %s", problem)

    def _read(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as problem:
            raise StateError(f"{self._file} cannot be read: {problem}") from None
        if content.get("format") != _FORMAT:
            raise StateError(f"{self._file} was written by another version; remove it")
        return content

    def _append(self, service: str, container: str, event: LogEvent) -> None:
        file = self._logs / service / f"{container}.jsonl"
        line = json.dumps([event.created_at.isoformat(), event.message]) + "\n"
        self._lines[file].append(line)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().call_soon(self._write_lines)

    def _write_lines(self) -> None:
        """Write the lines of one moment together, to open the file only once."""
        self._writing = None
        written, self._lines = self._lines, defaultdict(list)
        for file, lines in written.items():
            text = "".join(lines)
            self._sizes[file] += len(text)
            try:
                if self._sizes[file] > _MAX_LOG_FILE:  # keep only the newest part of a flood
                    file.unlink(missing_ok=True)
                    self._sizes[file] = len(text)
                file.parent.mkdir(exist_ok=True)
                with file.open("a") as log:
                    log.write(text)
            except OSError as problem:
                _LOG.warning("log lines could not be kept: %s", problem)

    def _forget(self, service: str) -> None:
        for file in [file for file in self._lines if file.parent.name == service]:
            del self._lines[file]
        shutil.rmtree(self._logs / service, ignore_errors=True)

    def _restore_logs(self, logs: LogStore, now: datetime) -> None:
        for file in self._logs.glob("*/*.jsonl"):
            self._sizes[file] = file.stat().st_size
            for line in file.read_text().splitlines():
                # A killed emulator may have written half of the last line.
                with contextlib.suppress(ValueError):
                    created, message = json.loads(line)
                    when = datetime.fromisoformat(created)
                    if now - when < RETENTION:
                        logs.restore(file.parent.name, file.stem, message, when)
