"""The table of the stack, as the template makes it."""

from lightgate.aws.dynamodb import Table
from tests.component.cloud import Cloud

NAME = "releases"


def create(cloud: Cloud) -> Table:
    cloud.client("dynamodb").create_table(
        TableName=NAME,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "app", "AttributeType": "S"},
            {"AttributeName": "item", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "app", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
    )
    return Table(cloud.client("dynamodb"), NAME)


def empty(cloud: Cloud) -> None:
    """The engine copies the whole table for each transaction."""
    client = cloud.client("dynamodb")
    for item in client.scan(TableName=NAME)["Items"]:
        client.delete_item(TableName=NAME, Key={name: item[name] for name in ("app", "item")})
