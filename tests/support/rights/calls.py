"""The rights that an API call needs, by the service authorization reference of AWS."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from tests.support.rights.grants import ACCOUNT, REGION, Need

type Json = Mapping[str, Any]

_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_S3 = {"CopyObject": "PutObject", "HeadObject": "GetObject", "ListObjectsV2": "ListBucket"}
_SNAPSHOTS = {
    "DBSnapshotIdentifier": "snapshot",
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
}
_GROUPS = {"subgrp": "DBSubnetGroupName", "pg": "DBParameterGroupName"}
_DATABASES = {"DBInstanceIdentifier": "db", "DBClusterIdentifier": "cluster"}


def needs(service: str, operation: str, parameters: Json) -> Sequence[Need]:
    """All of them: the call is denied if one is missing."""
    return list(_NEEDS[service](operation, parameters))


def _dynamodb(operation: str, parameters: Json) -> Iterator[Need]:
    if operation == "TransactWriteItems":
        for item in parameters["TransactItems"]:
            [(kind, write)] = item.items()
            yield _of_table(_TRANSACTION[kind], write["TableName"])
    else:
        yield _of_table(operation, parameters["TableName"])


def _of_table(operation: str, table: str) -> Need:
    return Need(action=f"dynamodb:{operation}", resource=_arn("dynamodb", f"table/{table}"))


def _s3(operation: str, parameters: Json) -> Iterator[Need]:
    key = f"/{parameters['Key']}" if "Key" in parameters else ""
    to = f"arn:aws:s3:::{parameters['Bucket']}{key}"
    yield Need(action=f"s3:{_S3.get(operation, operation)}", resource=to)
    if source := parameters.get("CopySource"):
        # botocore has made a path of bucket and key by now.
        yield Need(action="s3:GetObject", resource=f"arn:aws:s3:::{unquote(source)}")
    if "Tagging" in parameters:
        yield Need(action="s3:PutObjectTagging", resource=to)


def _rds(operation: str, parameters: Json) -> Iterator[Need]:
    tags = {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())}
    database = [f"{kind}:{parameters[k]}" for k, kind in _DATABASES.items() if k in parameters]
    snapshot = [f"{kind}:{parameters[k]}" for k, kind in _SNAPSHOTS.items() if k in parameters]
    for resource in [*database, *snapshot] or ["*"]:
        arn = resource if resource == "*" else _arn("rds", resource)
        yield Need(action=f"rds:{operation}", resource=arn, request_tags=tags)
    made = database if operation == "RestoreDBInstanceFromDBSnapshot" else snapshot
    if operation == "RestoreDBInstanceFromDBSnapshot":
        for kind, name in _GROUPS.items():
            if name in parameters:
                arn = _arn("rds", f"{kind}:{parameters[name]}")
                yield Need(action=f"rds:{operation}", resource=arn, request_tags=tags)
    for resource in made if tags else ():
        arn = _arn("rds", resource)
        yield Need(action="rds:AddTagsToResource", resource=arn, request_tags=tags)


def _ecr(operation: str, parameters: Json) -> Iterator[Need]:
    if operation == "ListTagsForResource":
        yield Need(action="ecr:ListTagsForResource", resource=parameters["resourceArn"])
        return
    names = parameters.get("repositoryNames") or [parameters["repositoryName"]]
    for name in names:
        yield Need(action=f"ecr:{operation}", resource=_arn("ecr", f"repository/{name}"))


def _lightsail(operation: str, parameters: Json) -> Iterator[Need]:
    action = f"lightsail:{operation}"
    tags = {tag["key"]: tag["value"] for tag in parameters.get("tags", ())}
    # Lightsail's ARNs contain ids, not names: here the name stands for the id.
    if operation.startswith("Get"):
        yield Need(action=action, resource="*")
    elif "serviceName" in parameters:
        arn = _arn("lightsail", f"ContainerService/{parameters['serviceName']}")
        yield Need(action=action, resource=arn, request_tags=tags)
        if tags:
            yield Need(action="lightsail:TagResource", resource=arn, request_tags=tags)
    elif operation == "DeleteRelationalDatabaseSnapshot":
        name = parameters["relationalDatabaseSnapshotName"]
        yield Need(action=action, resource=_arn("lightsail", f"RelationalDatabaseSnapshot/{name}"))
    else:
        name = parameters["relationalDatabaseName"]
        database = _arn("lightsail", f"RelationalDatabase/{name}")
        yield Need(action=action, resource=database, request_tags=tags)
        snapshot = f"RelationalDatabaseSnapshot/{parameters['relationalDatabaseSnapshotName']}"
        arn = _arn("lightsail", snapshot)
        yield Need(action="lightsail:TagResource", resource=arn, request_tags=tags)


def _secretsmanager(operation: str, parameters: Json) -> Iterator[Need]:
    name = parameters["SecretId"]
    arn = name if name.startswith("arn:") else _arn("secretsmanager", f"secret:{name}")
    yield Need(action=f"secretsmanager:{operation}", resource=arn)


def _ssm(operation: str, parameters: Json) -> Iterator[Need]:
    if operation == "DescribeParameters":
        yield Need(action="ssm:DescribeParameters", resource="*")
        return
    names = parameters.get("Names") or [parameters.get("Name") or parameters["ResourceId"]]
    for name in names:
        # A version or a label may follow the name.
        path = name.rpartition("parameter/")[2] if name.startswith("arn:") else name.lstrip("/")
        resource = _arn("ssm", f"parameter/{path.partition(':')[0]}")
        yield Need(action=f"ssm:{operation}", resource=resource)


def _given(prefix: str, *names: str) -> Callable[[str, Json], Iterator[Need]]:
    """A service whose calls name their resource by its ARN."""

    def needs_of(operation: str, parameters: Json) -> Iterator[Need]:
        [arn] = [parameters[name] for name in names if name in parameters]
        yield Need(action=f"{prefix}:{operation}", resource=arn)

    return needs_of


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


_NEEDS: Mapping[str, Callable[[str, Json], Iterator[Need]]] = {
    "dynamodb": _dynamodb,
    "ecr": _ecr,
    "lightsail": _lightsail,
    "rds": _rds,
    "s3": _s3,
    "secretsmanager": _secretsmanager,
    "sns": _given("sns", "TopicArn"),
    "ssm": _ssm,
    "stepfunctions": _given("states", "stateMachineArn", "executionArn"),
    "sts": _given("sts", "RoleArn"),
}
