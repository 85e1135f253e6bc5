"""The addresses of what a release has left, in the AWS console."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from lightgate.backup.snapshot import SnapshotStatus
from lightgate.spec.database_kinds import DatabaseKind

# A function may log until its time limit after the release has ended.
_AROUND = timedelta(minutes=2)
# Without a snapshot, or with one that failed, there may be nothing to see.
NOT_TAKEN = (None, SnapshotStatus.BUSY, SnapshotStatus.FAILED)
# By the first letters of the region; all others are those of the partition `aws`.
_CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What the console has of this stack: the log group of its functions, and its dashboard."""

    log_group: str | None = None
    dashboard: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLinks:
    """The addresses that a message names. None where there is nothing to see."""

    page: str | None = None
    execution: str | None = None
    log: str | None = None
    snapshot: str | None = None


def console_links(
    console: Console,
    *,
    execution: str,
    release: str,
    begin: datetime,
    end: datetime | None = None,
    snapshot: tuple[str, DatabaseKind] | None = None,
) -> ConsoleLinks:
    """`execution` is an ARN, `snapshot` the id of a snapshot that was taken."""
    if not has_console(execution):
        return ConsoleLinks()
    region, group, dashboard = _region(execution), console.log_group, console.dashboard
    return ConsoleLinks(
        page=_dashboard_page(region, dashboard) if dashboard else None,
        execution=execution_page(execution),
        log=log_page(region, group, release, begin=begin, end=end) if group else None,
        snapshot=snapshot_page(region, *snapshot) if snapshot else None,
    )


def has_console(arn: str) -> bool:
    """Whether AWS can have the account: that of an emulator, as locally, has only zeros.

    Raises IndexError if it is no ARN.
    """
    return arn.split(":")[4].strip("0") != ""


def execution_page(arn: str) -> str:
    """Raises IndexError if it is no ARN."""
    region = _region(arn)
    place = f"#/v2/executions/details/{quote(arn, safe=':')}"
    return f"{_console(region)}/states/home?region={region}{place}"


def log_page(
    region: str, group: str, release: str, *, begin: datetime, end: datetime | None
) -> str:
    """The lines of Lightgate's functions that name the release."""
    query = {
        "filterPattern": f'"{release}"',
        "start": str(_milliseconds(begin - _AROUND)),
        **({"end": str(_milliseconds(end + _AROUND))} if end is not None else {}),
    }
    # The console decodes what follows the # twice, with $ in the place of %.
    told = "&".join(f"{name}={_once(value)}" for name, value in query.items())
    events = _once(f"?{told}").replace("%", "$")
    place = f"{_once(_once(group)).replace('%', '$')}/log-events{events}"
    return f"{_console(region)}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{place}"


def deployments_page(region: str, service: str) -> str:
    place = f"{region}/container-services/{quote(service, safe='')}/deployments"
    return f"https://lightsail.aws.amazon.com/ls/webapp/{place}"


def snapshot_page(region: str, snapshot: str, kind: DatabaseKind) -> str:
    if kind is DatabaseKind.LIGHTSAIL:
        return "https://lightsail.aws.amazon.com/ls/webapp/home/snapshots"
    place = f"#db-snapshot:id={quote(snapshot, safe='')}"
    return f"{_console(region)}/rds/home?region={region}{place}"


def _dashboard_page(region: str, name: str) -> str:
    place = f"#dashboards/dashboard/{quote(name, safe='')}"
    return f"{_console(region)}/cloudwatch/home?region={region}{place}"


def _region(arn: str) -> str:
    return arn.split(":")[3]


def _console(region: str) -> str:
    of_others = (host for first, host in _CONSOLES.items() if region.startswith(first))
    return f"https://{region}.{next(of_others, 'console.aws.amazon.com')}"


def _once(text: str) -> str:
    return quote(text, safe="")


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
