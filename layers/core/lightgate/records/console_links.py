"""The addresses of what a release has left, in the AWS console."""

from datetime import datetime, timedelta
from urllib.parse import quote

from lightgate.spec.database_kinds import DatabaseKind

# A function may log until its time limit after the release has ended.
_AROUND = timedelta(minutes=2)


def execution_page(arn: str) -> str:
    """Raises IndexError if it is no ARN."""
    region = arn.split(":")[3]
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


def _console(region: str) -> str:
    return f"https://{region}.console.aws.amazon.com"


def _once(text: str) -> str:
    return quote(text, safe="")


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
