"""The addresses of the AWS console."""

from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from botocore.session import get_session

from lightgate.records.console_links import (
    Console,
    ConsoleLinks,
    console_links,
    deployments_page,
    execution_page,
    log_page,
    snapshot_page,
)
from lightgate.spec.database_kinds import DatabaseKind
from tests.support.template import read_template

RELEASE = "20261129t091001z-7849e651-b597"
BEGIN = datetime(2026, 11, 29, 9, 10, 1, tzinfo=UTC)


def test_an_execution_has_its_page_in_its_region() -> None:
    arn = "arn:aws:states:eu-west-1:123456789012:execution:lightgate-release:crops-1"

    assert execution_page(arn) == (
        "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1"
        f"#/v2/executions/details/{arn}"
    )


def test_the_log_shows_the_lines_that_name_the_release_around_its_time() -> None:
    page = log_page(
        "us-east-1", "/lg/Logs-1", RELEASE, begin=BEGIN, end=BEGIN + timedelta(seconds=9)
    )

    address, _, place = page.partition("#")
    assert address == "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    assert place.startswith("logsV2:log-groups/log-group/$252Flg$252FLogs-1/log-events$3F")
    once = unquote(place.replace("$", "%"))
    assert unquote(once) == (
        "logsV2:log-groups/log-group//lg/Logs-1/log-events?"
        f'filterPattern="{RELEASE}"&start=1795943281000&end=1795943530000'
    )
    assert "end" not in log_page("us-east-1", "g", RELEASE, begin=BEGIN, end=None).split("log-")[-1]


def test_a_service_has_its_deployments() -> None:
    assert deployments_page("us-east-1", "crops-backend") == (
        "https://lightsail.aws.amazon.com/ls/webapp/us-east-1/container-services/crops-backend"
        "/deployments"
    )


@pytest.mark.parametrize("kind", [DatabaseKind.INSTANCE, DatabaseKind.CLUSTER])
def test_a_snapshot_of_rds_has_a_page_of_its_own(kind: DatabaseKind) -> None:
    assert snapshot_page("us-east-1", "lightgate-crops-1", kind) == (
        "https://us-east-1.console.aws.amazon.com/rds/home?region=us-east-1"
        "#db-snapshot:id=lightgate-crops-1"
    )


def test_the_snapshots_of_lightsail_have_one_page() -> None:
    assert snapshot_page("us-east-1", "any", DatabaseKind.LIGHTSAIL) == (
        "https://lightsail.aws.amazon.com/ls/webapp/home/snapshots"
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "eu-central-1.console.aws.amazon.com"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("cn-northwest-1", "cn-northwest-1.console.amazonaws.cn"),
    ],
)
def test_each_partition_has_its_own_console(region: str, host: str) -> None:
    arn = f"arn:{partition_of(region)}:states:{region}:123456789012:execution:release:crops-1"

    found = console_links(
        Console(log_group="/lg/Logs", dashboard="lightgate-releases"),
        execution=arn,
        release=RELEASE,
        begin=BEGIN,
        snapshot=("lightgate-crops-1", DatabaseKind.INSTANCE),
    )

    for address in (found.page, found.execution, found.log, found.snapshot):
        assert str(address).startswith(f"https://{host}/")
        assert f"?region={region}#" in str(address)


def test_the_template_knows_the_same_consoles() -> None:
    consoles = read_template()["Mappings"]["Partition"]

    for region in ("us-east-1", "us-gov-east-1", "cn-north-1"):
        address = execution_page(f"arn:x:states:{region}:1:execution:a:b")
        host = consoles[partition_of(region)]["Console"]
        assert address.startswith(f"https://{region}.{host}/")


def test_without_a_dashboard_a_log_group_or_a_snapshot_there_is_no_link_to_it() -> None:
    arn = "arn:aws:states:us-east-1:123456789012:execution:release:crops-1"

    found = console_links(Console(), execution=arn, release=RELEASE, begin=BEGIN)

    assert found == ConsoleLinks(execution=execution_page(arn))


def test_an_account_that_aws_cannot_have_has_no_console() -> None:
    arn = "arn:aws:states:us-east-1:000000000000:execution:release:crops-1"
    whole = Console(log_group="/lg/Logs", dashboard="lightgate-releases")

    assert console_links(whole, execution=arn, release=RELEASE, begin=BEGIN) == ConsoleLinks()


def partition_of(region: str) -> str:
    return str(get_session().get_partition_for_region(region))
