"""The releases of the demo, and its report in `build/demo/report.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local.demo.stages import Stage
from local.demo.traffic import Requests

type Claims = Sequence[tuple[str, bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """One ended release. `message` is the JSON of its final notification."""

    name: str
    digest: str
    stages: Sequence[Stage]
    execution_status: str
    subject: str
    message: Mapping[str, Any]

    @property
    def status(self) -> str:
        return str(self.message["status"])

    @property
    def failure_kind(self) -> str | None:
        failure = self.message["failure"]
        return None if failure is None else str(failure["kind"])

    @property
    def text(self) -> str:
        return str(self.message["text"])

    @property
    def migrations(self) -> list[str]:
        return [migration["name"] for migration in self.message["gate"]["migrations"]]

    @property
    def saved_seconds(self) -> float:
        """The seconds saved by deploying during the snapshot."""
        return float(self.message["savedSeconds"])

    @property
    def snapshot_available_at(self) -> datetime | None:
        available = (self.message["snapshot"] or {}).get("availableAt")
        return datetime.fromisoformat(available) if available else None

    def stage(self, name: str) -> Stage | None:
        """The first stage of this name, if the release had one."""
        return next((stage for stage in self.stages if stage.name == name), None)


def write_report(
    path: Path, releases: Sequence[Released], requests: Requests, claims: Claims
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "releases": [_release(release) for release in releases],
        "requests": {"sent": requests.sent, "failed": requests.failed},
        "claims": [{"claim": claim, "holds": holds} for claim, holds in claims],
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _release(release: Released) -> Mapping[str, Any]:
    message = release.message
    return {
        "name": release.name,
        "id": message["release"],
        "status": release.status,
        "digest": release.digest,
        "stages": [
            {"name": stage.name, "seconds": round(stage.seconds, 3)} for stage in release.stages
        ],
        "migrations": release.migrations,
        "snapshot": message["snapshot"],
        "savedSeconds": message["savedSeconds"],
        "firstMigrationAt": message["gate"]["beganAt"],
        "deploymentVersion": message["version"],
        "failure": message["gate"]["failure"],
        "failureKind": message["failure"]["kind"] if message["failure"] else None,
    }
