"""What the demo claims about its releases, and whether it holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from local.demo.report import Released
from local.demo.traffic import Requests


@dataclass(slots=True)
class Claims:
    checked: list[tuple[str, bool]] = field(default_factory=list)

    def check(self, claim: str, holds: bool) -> None:
        self.checked.append((claim, holds))

    @property
    def all_hold(self) -> bool:
        return bool(self.checked) and all(holds for _, holds in self.checked)

    def check_successes(self, v1: Released, v2: Released, code_only: Released) -> None:
        for release in (v1, v2, code_only):
            self.check(
                f"{release.name} is live, and its execution succeeded",
                (release.status, release.execution_status) == ("SUCCEEDED", "SUCCEEDED"),
            )
        self.check(
            "v2.1 had no pending migrations, so Lightgate took no snapshot",
            not code_only.migrations
            and code_only.message["snapshot"] is None
            and code_only.stage("TakeSnapshot") is None,
        )
        self.check(
            f"v2 was deployed during its snapshot, which saved {v2.saved_seconds:.1f} s",
            _overlapped(v2),
        )

    def check_database(self, migrated: Sequence[Released], applied: Sequence[str]) -> None:
        *succeeded, failed = migrated
        for release in succeeded:
            self.check(
                f"{release.name} applied {', '.join(release.migrations)}, and the database agrees",
                bool(release.migrations) and set(release.migrations) <= set(applied),
            )
        for release in migrated:
            self.check(
                f"the snapshot of {release.name} was available before its first migration started",
                _snapshot_came_first(release),
            )
        failure = failed.message["gate"]["failure"] or {}
        self.check(
            f"{failed.name} was rolled back, and its execution failed",
            (failed.status, failed.execution_status) == ("ROLLED_BACK", "FAILED"),
        )
        self.check(
            f"the message names the failed migration ({failure.get('migration')}) and its error",
            bool(failure.get("migration")) and failure["error"] in failed.text,
        )
        self.check(
            "the failed migration changed nothing in the database",
            bool(failure) and failure["migration"] not in applied,
        )

    def check_availability(self, requests: Requests, live: str | None) -> None:
        self.check("v2.1 is live at the end", live == "v2.1")
        self.check(
            "every answer came from v1, v2 or v2.1", requests.releases == ("v1", "v2", "v2.1")
        )
        self.check(
            f"{requests.failed} of {requests.sent} reads and writes failed during v2, v2.1 and v3",
            requests.sent > 0 and requests.failed == 0,
        )


def _overlapped(release: Released) -> bool:
    available, deploy = release.snapshot_available_at, release.stage("Deploy")
    if available is None or deploy is None or deploy.ended is None:
        return False
    return release.saved_seconds > 0 and deploy.ended < available


def _snapshot_came_first(release: Released) -> bool:
    available, began = release.snapshot_available_at, release.message["gate"]["beganAt"]
    return available is not None and bool(began) and available < datetime.fromisoformat(began)
