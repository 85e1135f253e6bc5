"""Which app a service belongs to: one write wins."""

import pytest
from botocore.exceptions import ClientError

from lightgate.aws.dynamodb_services import Services
from tests.component import table
from tests.component.cloud import Cloud


@pytest.fixture
def services(cloud: Cloud) -> Services:
    return Services(table.create(cloud))


def give(cloud: Cloud, services: Services, app: str, before: str | None) -> None:
    write = services.belongs_to(app, "crops-backend", before)
    cloud.client("dynamodb").transact_write_items(TransactItems=[write])


def test_a_service_belongs_to_the_app_that_got_it_last(cloud: Cloud, services: Services) -> None:
    assert services.app_of("crops-backend") is None

    give(cloud, services, "crops", None)
    give(cloud, services, "crops", "crops")
    give(cloud, services, "shop", "crops")

    assert services.app_of("crops-backend") == "shop"
    assert services.app_of("another") is None


@pytest.mark.parametrize("before", [None, "shop"])
def test_an_app_that_missed_a_change_does_not_get_the_service(
    cloud: Cloud, services: Services, before: str | None
) -> None:
    give(cloud, services, "crops", None)

    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        give(cloud, services, "another", before)

    assert services.app_of("crops-backend") == "crops"


def test_all_apps_with_a_service_are_known(cloud: Cloud, services: Services) -> None:
    assert services.apps() == set()

    give(cloud, services, "crops", None)
    write = services.belongs_to("herd", "herd-api", None)
    cloud.client("dynamodb").transact_write_items(TransactItems=[write])

    assert services.apps() == {"crops", "herd"}
