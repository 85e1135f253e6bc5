"""What a page of a release needs from beside its readable record, and the links made of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from lightgate.records.console_links import (
    NOT_TAKEN,
    deployments_page,
    execution_page,
    has_console,
    log_page,
    snapshot_page,
)
from lightgate.records.release_record import ReadableRecord
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.state import Admitted
from lightgate_report.pages import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Whatever is None is unknown, and its link is left out.

    `log_group` is the one of Lightgate's functions.
    """

    service: str | None = None
    database_kind: DatabaseKind | None = None
    log_group: str | None = None

    @classmethod
    def of(cls, admitted: Admitted | None, log_group: str | None) -> "Surroundings":
        if admitted is None:
            return cls(log_group=log_group)
        database = admitted.database
        return cls(
            service=admitted.release.service,
            database_kind=database.kind if database is not None else None,
            log_group=log_group,
        )


def links_of(record: ReadableRecord, around: Surroundings) -> Sequence[Link]:
    """The pages of the AWS console; none for a release without an execution."""
    arn = record.execution or ""
    parts = arn.split(":")
    if len(parts) < len(["arn", "aws", "states", "region", "account"]) or not has_console(arn):
        return ()
    region = parts[3]
    found = [Link(text="Execution", address=execution_page(arn))]
    if around.log_group is not None:
        address = log_page(
            region,
            around.log_group,
            record.release,
            begin=record.started_at,
            end=record.ended_at,
        )
        found.append(Link(text="Log", address=address))
    if around.service is not None and record.version is not None:
        text = f"Deployment, version {record.version}"
        found.append(Link(text=text, address=deployments_page(region, around.service)))
    snapshot, kind = record.snapshot, around.database_kind
    if snapshot is not None and snapshot.id and kind and snapshot.status not in NOT_TAKEN:
        address = snapshot_page(region, snapshot.id, kind)
        found.append(Link(text="Snapshot", address=address))
    return found
