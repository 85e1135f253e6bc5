"""Each rule of the checks on the answers of AWS, with its fault planted and without."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from lightgate.backup.restore_points import Description, Original
from lightgate.checks import (
    accounts,
    databases,
    health_checks,
    images,
    networks,
    pulling,
    roles,
    services,
)
from lightgate.checks.finding import Finding, Level
from lightgate.deployment.status import Deployment, Service
from lightgate.diagnosis.puller import statement
from lightgate.errors import MissingError
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.verification.health import HttpAnswer
from tests.support.aws_answers import answer
from tests.support.builders import app_spec

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
OWN_ROLE = "arn:aws:iam::170441448102:role/amazon/lightsail/us-east-1/containers/crops/1a2b"
PULLER = f"{OWN_ROLE.rpartition('/')[0]}/private-repo-access/b2a1"


def service(**changes: Any) -> Service:
    told: dict[str, Any] = {
        "name": "crops",
        "state": "RUNNING",
        "disabled": False,
        "current": None,
        "next": None,
        "deployments": [],
        "power": "micro",
        "puller_role": PULLER,
        "puller_is_active": True,
        "principal_arn": OWN_ROLE,
    }
    return Service(**told | changes)


def deployed(stack: str) -> Deployment:
    return Deployment(
        version=3, state="ACTIVE", created_at=NOW, release="20261130t090000z-00-00", stack=stack
    )


# The service


def test_a_running_service_of_this_stack_is_ok() -> None:
    found = services.service_state(service(current=deployed("lightgate")), "lightgate")

    assert (found.level, found.text) == (Level.OK, "crops is RUNNING: micro, 1 node")


def test_a_disabled_service_fails() -> None:
    found = services.service_state(service(disabled=True), "lightgate")

    assert found.level is Level.FAILURE
    assert found.fix == (
        "aws lightsail update-container-service --service-name crops --no-is-disabled",
    )


@pytest.mark.parametrize(
    "changes", [{"tagged_stack": "other"}, {"current": deployed("other")}], ids=["tag", "newest"]
)
def test_a_service_of_another_stack_fails(changes: dict[str, Any]) -> None:
    found = services.service_state(service(**changes), "lightgate")

    assert found.level is Level.FAILURE
    assert "belongs to the stack other" in found.text


def test_the_tag_gives_a_service_to_this_stack() -> None:
    given = service(tagged_stack="lightgate", current=deployed("other"))

    assert services.service_state(given, "lightgate").level is Level.OK


POWERS = answer(
    "lightsail",
    "get_container_service_powers",
    {
        "powers": [
            {"powerId": f"{name}-1", "name": name, "ramSizeInGb": size, "cpuCount": cpus,
             "price": 7.0, "isActive": True}
            for name, size, cpus in (("nano", 0.5, 0.25), ("micro", 1.0, 0.25), ("small", 2.0, 0.5))
        ]
    },
)  # fmt: skip


@pytest.mark.parametrize(
    ("power", "expected"),
    [("micro", Level.OK), ("nano", Level.WARNING), ("quantum", Level.UNKNOWN)],
)
def test_a_nano_is_small_for_gate_and_app(power: str, expected: Level) -> None:
    assert services.power(app_spec(), service(power=power), POWERS).level is expected


def test_a_power_without_room_for_all_containers_names_one_with_room() -> None:
    containers = {
        "migrate": {"command": ["python", "manage.py", "migrate"]},
        **{
            f"worker-{number}": {
                "command": ["celery", "worker"],
                "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
            }
            for number in range(7)
        },
        "web": {
            "ports": {"8000": "HTTP"},
            "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
        },
    }

    found = services.power(app_spec(containers=containers), service(), POWERS)

    assert found.level is Level.WARNING
    assert found.fix == (
        "aws lightsail update-container-service --service-name crops --power small",
    )


# The image-puller role


def policy(*statements: object) -> str:
    return json.dumps({"Version": "2008-10-17", "Statement": statements})


OTHER = {"Sid": "CI", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "*"}


def test_a_policy_with_the_image_puller_role_is_ok() -> None:
    own = policy(OTHER, json.loads(statement(PULLER)))

    assert pulling.image_puller(service(), "crops", own).level is Level.OK


def test_a_service_without_a_role_for_pulling_fails() -> None:
    found = pulling.image_puller(
        service(puller_role=None, puller_is_active=False), "crops", policy(OTHER)
    )

    assert found.level is Level.FAILURE
    assert "ecrImagePullerRole={isActive=true}" in found.fix[0]


def test_a_role_that_is_still_being_made_is_unknown() -> None:
    assert pulling.image_puller(service(puller_role=None), "crops", None).level is Level.UNKNOWN


def test_a_policy_without_the_role_is_mended_beside_what_is_in_it() -> None:
    found = pulling.image_puller(service(), "crops", policy(OTHER))

    assert found.level is Level.FAILURE
    assert _document(found)["Statement"] == [OTHER, json.loads(statement(PULLER))]


def test_a_repository_without_a_policy_gets_a_whole_one() -> None:
    found = pulling.image_puller(service(), "crops", None)

    assert _document(found) == {
        "Version": "2012-10-17",
        "Statement": [json.loads(statement(PULLER))],
    }


def test_a_policy_that_names_the_role_of_the_containers_is_called_that_mistake() -> None:
    found = pulling.image_puller(service(), "crops", policy(json.loads(statement(OWN_ROLE))))

    assert found.level is Level.FAILURE
    assert "names the service's own role" in found.text
    assert _document(found)["Statement"] == [json.loads(statement(PULLER))]


def test_a_policy_with_a_condition_is_unknown() -> None:
    own = policy({**json.loads(statement(PULLER)), "Condition": {"Bool": {"aws:x": "true"}}})

    assert pulling.image_puller(service(), "crops", own).level is Level.UNKNOWN


def _document(found: Finding) -> Any:
    [command] = found.fix
    return json.loads(shlex.split(command)[-1])


# The database


def database(**changes: Any) -> Description:
    told: dict[str, Any] = {
        "kind": DatabaseKind.INSTANCE,
        "name": "crops-db",
        "status": "available",
        "original": Original(options={}, instance={}, address=""),
        "is_public": False,
        "backup_days": 7,
    }
    return Description(**told | changes)


def test_a_private_database_is_ok() -> None:
    assert databases.access(database()).level is Level.OK


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, "aws rds modify-db-instance --db-instance-identifier crops-db "
             "--no-publicly-accessible --apply-immediately"),
        ({"kind": DatabaseKind.CLUSTER, "public_members": ("one",)},
         "aws rds modify-db-instance --db-instance-identifier one "
         "--no-publicly-accessible --apply-immediately"),
        ({"kind": DatabaseKind.CLUSTER}, "aws rds modify-db-cluster --db-cluster-identifier "
         "crops-db --no-publicly-accessible --apply-immediately"),
        ({"kind": DatabaseKind.LIGHTSAIL}, "aws lightsail update-relational-database "
         "--relational-database-name crops-db --no-publicly-accessible"),
    ],
    ids=["instance", "aurora", "multi-az-cluster", "lightsail"],
)  # fmt: skip
def test_a_public_database_fails_with_the_command_that_makes_it_private(
    changes: dict[str, Any], command: str
) -> None:
    found = databases.access(database(is_public=True, **changes))

    assert (found.level, found.text) == (Level.FAILURE, "crops-db is publicly accessible")
    assert found.fix == (command,)


def test_a_database_of_which_aws_does_not_say_it_is_unknown() -> None:
    assert databases.access(database(is_public=None)).level is Level.UNKNOWN
    assert databases.backups(database(backup_days=None)).level is Level.UNKNOWN


def test_a_member_of_a_cluster_and_a_stopped_database_fail() -> None:
    assert databases.access(database(cluster="aurora")).level is Level.FAILURE
    assert databases.access(database(status="stopped")).level is Level.FAILURE


@pytest.mark.parametrize("kind", DatabaseKind)
def test_a_database_without_automated_backups_fails(kind: DatabaseKind) -> None:
    found = databases.backups(database(kind=kind, backup_days=0))

    assert found.level is Level.FAILURE
    assert "backup-retention" in found.fix[0]
    assert databases.backups(database(kind=kind)).level is Level.OK


@pytest.mark.parametrize(
    ("used", "expected"), [(12, Level.OK), (80, Level.WARNING), (100, Level.FAILURE)]
)
def test_manual_snapshots_stay_below_the_quota(used: int, expected: Level) -> None:
    attributes = answer(
        "rds",
        "describe_account_attributes",
        {
            "AccountQuotas": [
                {"AccountQuotaName": "ManualSnapshots", "Used": used, "Max": 100},
                {"AccountQuotaName": "ManualClusterSnapshots", "Used": 0, "Max": 100},
            ]
        },
    )

    assert databases.snapshot_quota(DatabaseKind.INSTANCE, attributes).level is expected
    assert databases.snapshot_quota(DatabaseKind.CLUSTER, attributes).level is Level.OK


def test_a_quota_that_is_not_listed_is_unknown() -> None:
    attributes = answer("rds", "describe_account_attributes", {"AccountQuotas": []})

    assert databases.snapshot_quota(DatabaseKind.INSTANCE, attributes).level is Level.UNKNOWN


# The network

INSTANCE = {
    "DBInstanceIdentifier": "crops-db",
    "DBSubnetGroup": {"VpcId": "vpc-default"},
    "Endpoint": {"Address": "crops-db.rds.amazonaws.com", "Port": 5432},
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}],
}
NETWORK = networks.network_of(
    answer("rds", "describe_db_instances", {"DBInstances": [INSTANCE]})["DBInstances"][0]
)
IPV6 = "2600:1f18:aaaa:bb00::/56"


def peered(is_peered: bool) -> Any:
    return answer("lightsail", "is_vpc_peered", {"isPeered": is_peered})


def default_vpc(name: str) -> Any:
    return answer("ec2", "describe_vpcs", {"Vpcs": [{"VpcId": name, "IsDefault": True}]})


def test_a_database_in_the_peered_vpc_is_ok() -> None:
    found = networks.peering(NETWORK, peered(True), default_vpc("vpc-default"))

    assert found.level is Level.OK


def test_without_peering_there_is_a_warning() -> None:
    found = networks.peering(NETWORK, peered(False), default_vpc("vpc-default"))

    assert (found.level, found.fix) == (Level.WARNING, ("aws lightsail peer-vpc",))


def test_a_database_in_another_vpc_than_the_peered_one_is_a_warning() -> None:
    found = networks.peering(NETWORK, peered(True), default_vpc("vpc-of-others"))

    assert found.level is Level.WARNING
    assert "vpc-of-others" in found.text


def connections(*blocks: str, status: str = "active") -> Any:
    return answer(
        "ec2",
        "describe_vpc_peering_connections",
        {
            "VpcPeeringConnections": [
                {
                    "Status": {"Code": status},
                    "RequesterVpcInfo": {
                        "CidrBlock": "172.26.0.0/16",
                        "Ipv6CidrBlockSet": [{"Ipv6CidrBlock": block} for block in blocks],
                    },
                    "AccepterVpcInfo": {"CidrBlock": "172.31.0.0/16"},
                }
            ]
        },
    )


def test_lightsail_s_ranges_are_those_of_the_peering_connection() -> None:
    assert networks.lightsail_ranges(connections(IPV6)) == ["172.26.0.0/16", IPV6]
    assert networks.lightsail_ranges(connections(IPV6, status="deleted")) == ["172.26.0.0/16"]


def group(*cidrs: str, port: int = 5432, protocol: str = "tcp", name: str = "sg-1") -> Any:
    permission: dict[str, Any] = {
        "IpProtocol": protocol,
        "IpRanges": [{"CidrIp": each} for each in cidrs if ":" not in each],
        "Ipv6Ranges": [{"CidrIpv6": each} for each in cidrs if ":" in each],
    }
    if protocol != "-1":
        permission |= {"FromPort": port, "ToPort": port}
    groups = {"SecurityGroups": [{"GroupId": name, "IpPermissions": [permission]}]}
    return answer("ec2", "describe_security_groups", groups)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (group("172.26.0.0/16", IPV6), [Level.OK]),
        (group("172.16.0.0/12", IPV6, protocol="-1"), [Level.OK]),
        (group("172.26.0.0/16"), [Level.WARNING]),
        (group("172.26.5.0/24", IPV6), [Level.WARNING]),
        (group("172.26.0.0/16", IPV6, port=3306), [Level.WARNING, Level.WARNING]),
        (group("172.26.0.0/16", IPV6, protocol="udp"), [Level.WARNING, Level.WARNING]),
        (group("0.0.0.0/0", IPV6), [Level.FAILURE]),
        (group("172.26.0.0/16", "::/0"), [Level.FAILURE]),
        (group("0.0.0.0/0", "::/0", protocol="-1"), [Level.FAILURE, Level.FAILURE]),
    ],
)
def test_the_security_group_lets_lightsail_in_and_not_everyone(
    groups: Any, expected: list[Level]
) -> None:
    found = list(networks.security_group(NETWORK, groups, ["172.26.0.0/16", IPV6]))

    assert [one.level for one in found] == expected


def test_a_missing_range_and_an_open_one_have_their_commands() -> None:
    ranges = ["172.26.0.0/16"]
    [open_one] = networks.security_group(NETWORK, group("0.0.0.0/0"), ranges)
    [missing] = networks.security_group(NETWORK, group(), ranges)

    assert open_one.fix == (
        "aws ec2 revoke-security-group-ingress --group-id sg-1 --ip-permissions "
        "'IpProtocol=tcp,FromPort=5432,ToPort=5432,IpRanges=[{CidrIp=0.0.0.0/0}]'",
    )
    assert missing.fix == (
        "aws ec2 authorize-security-group-ingress --group-id sg-1 --ip-permissions "
        "'IpProtocol=tcp,FromPort=5432,ToPort=5432,IpRanges=[{CidrIp=172.26.0.0/16}]'",
    )


def test_a_group_that_is_not_described_is_no_answer() -> None:
    with pytest.raises(MissingError):
        list(networks.security_group(NETWORK, group(name="sg-2"), ["172.26.0.0/16"]))


# Roles


def role(name: str, principal: object, effect: str = "Allow") -> dict[str, Any]:
    document = {"Statement": [{"Effect": effect, "Principal": principal, "Action": "*"}]}
    return {"RoleName": name, "AssumeRolePolicyDocument": document}


@pytest.mark.parametrize(
    "principal",
    [{"AWS": OWN_ROLE}, {"AWS": ["x", OWN_ROLE]}, "*", {"AWS": "*"}, {"AWS": "170441448102"},
     {"AWS": "arn:aws:iam::170441448102:root"}],
)  # fmt: skip
def test_a_role_that_the_containers_can_assume_is_a_warning(principal: object) -> None:
    found = roles.trusting_roles(OWN_ROLE, [role("uploads", principal)])

    assert [one.level for one in found] == [Level.WARNING]
    assert "uploads" in found[0].text


def test_other_roles_are_ok() -> None:
    found = roles.trusting_roles(
        OWN_ROLE,
        [
            role("functions", {"Service": "lambda.amazonaws.com"}),
            role("people", {"AWS": "arn:aws:iam::123456789012:root"}),
            role("refused", {"AWS": OWN_ROLE}, effect="Deny"),
        ],
    )

    assert [one.level for one in found] == [Level.OK]


def test_a_trust_policy_is_also_read_as_it_is_on_the_wire() -> None:
    document = quote(json.dumps(role("uploads", {"AWS": OWN_ROLE})["AssumeRolePolicyDocument"]))

    [found] = roles.trusting_roles(
        OWN_ROLE, [{"RoleName": "uploads", "AssumeRolePolicyDocument": document}]
    )

    assert found.level is Level.WARNING


# The stack and its account


@pytest.mark.parametrize(
    ("deployed_version", "expected"),
    [("1.2.0", Level.OK), ("1.1.9", Level.FAILURE), ("1.10.0", Level.FAILURE),
     (None, Level.FAILURE)],
)  # fmt: skip
def test_stack_and_command_have_one_version(deployed_version: str | None, expected: Level) -> None:
    assert accounts.version(deployed_version, "1.2.0", "lightgate").level is expected


def stack(name: str, path: str) -> dict[str, Any]:
    return {
        "StackName": name,
        "CreationTime": NOW,
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": "AppsPath", "OutputValue": path}],
    }


@pytest.mark.parametrize(
    ("other", "expected"),
    [("/other/apps", Level.OK), ("/lightgate/apps", Level.FAILURE)],
)
def test_no_other_stack_serves_the_same_apps(other: str, expected: Level) -> None:
    listed = answer(
        "cloudformation",
        "describe_stacks",
        {"Stacks": [stack("lightgate", "/lightgate/apps"), stack("second", other)]},
    )

    found = accounts.other_stacks("lightgate", "/lightgate/apps", listed["Stacks"])

    assert found.level is expected


@pytest.mark.parametrize(
    ("free", "apps", "expected"),
    [(1000, 5, Level.OK), (10, 7, Level.OK), (10, 8, Level.WARNING), (0, 0, Level.WARNING)],
)
def test_an_account_runs_enough_functions_at_once(free: int, apps: int, expected: Level) -> None:
    settings = answer(
        "lambda",
        "get_account_settings",
        {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": free}},
    )

    assert accounts.concurrency(settings, apps).level is expected


# Lifecycle rules


def image(name: str, *tags: str, days: int) -> images.StoredImage:
    found = answer(
        "ecr",
        "describe_images",
        {
            "imageDetails": [
                {
                    "imageDigest": name,
                    "imageTags": list(tags),
                    "imagePushedAt": NOW - timedelta(days=days),
                }
            ]
        },
    )
    return images.stored_image(found["imageDetails"][0])


STORED = [
    image("new", "v4", days=1),
    image("live", "v3", "lightgate-aaaa", days=20),
    image("previous", "v2", "lightgate-bbbb", days=40),
    image("unused", "v1", days=60),
    image("untagged", days=70),
]
NEEDED = {"live": "version 3 (live)", "previous": "version 2"}


def rule(priority: int, count: str, number: int, **selection: Any) -> dict[str, Any]:
    chosen = {"tagStatus": "any", "countType": count, "countNumber": number, **selection}
    return {"rulePriority": priority, "selection": chosen, "action": {"type": "expire"}}


def more_than(priority: int, number: int, **selection: Any) -> dict[str, Any]:
    return rule(priority, "imageCountMoreThan", number, **selection)


def older_than(priority: int, days: int, **selection: Any) -> dict[str, Any]:
    return rule(priority, "sinceImagePushed", days, countUnit="days", **selection)


KEEP = more_than(1, 100, tagStatus="tagged", tagPrefixList=["lightgate-"])


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([more_than(1, 2)], Level.FAILURE),
        ([older_than(1, 30)], Level.FAILURE),
        ([older_than(1, 30, tagStatus="tagged", tagPatternList=["v*"])], Level.FAILURE),
        ([older_than(1, 365)], Level.WARNING),
        ([more_than(1, 4)], Level.WARNING),
        ([more_than(1, 10)], Level.OK),
        ([older_than(1, 1, tagStatus="untagged")], Level.OK),
        ([older_than(1, 1, tagStatus="tagged", tagPrefixList=["dev-"])], Level.OK),
        ([older_than(1, 1, tagStatus="tagged", tagPrefixList=["v", "dev-"])], Level.OK),
        ([KEEP, older_than(2, 1)], Level.OK),
        # A rule that protects comes first by its number, and not by its place.
        ([older_than(2, 1), KEEP], Level.OK),
        ([more_than(1, 1, tagStatus="tagged", tagPrefixList=["lightgate-"])], Level.FAILURE),
    ],
)
def test_a_lifecycle_rule_takes_no_image_that_a_rollback_needs(
    rules: list[Any], expected: Level
) -> None:
    found = images.lifecycle("crops", json.dumps({"rules": rules}), STORED, NEEDED, NOW)

    assert found.level is expected


def test_the_mended_policy_keeps_what_is_needed() -> None:
    found = images.lifecycle(
        "crops", json.dumps({"rules": [older_than(1, 30)]}), STORED, NEEDED, NOW
    )
    again = images.lifecycle("crops", json.dumps(_document(found)), STORED, NEEDED, NOW)

    assert again.level is Level.OK


def test_a_rule_of_an_unknown_kind_is_no_answer() -> None:
    rules = json.dumps({"rules": [rule(1, "sinceTheMoonWasFull", 3)]})

    with pytest.raises(ValueError, match="sinceTheMoonWasFull"):
        images.lifecycle("crops", rules, STORED, NEEDED, NOW)


def test_without_a_policy_all_images_stay() -> None:
    assert images.lifecycle("crops", None, STORED, NEEDED, NOW).level is Level.OK


# The health check


def http(status: int | None, **headers: str) -> HttpAnswer:
    why = None if status else "connection refused"
    return HttpAnswer(status=status, headers=headers, body=b"", took=timedelta(0), error=why)


@pytest.mark.parametrize(
    ("codes", "given", "expected"),
    [
        ("200", http(200), Level.OK),
        ("200-399", http(302, location="/harvests/"), Level.OK),
        ("200", http(302, location="/accounts/login/?next=/"), Level.FAILURE),
        ("200", http(401), Level.FAILURE),
        ("200-399", http(302, location="/accounts/login/?next=/"), Level.WARNING),
        ("200-499", http(403), Level.WARNING),
        ("200", http(None), Level.UNKNOWN),
    ],
)
def test_the_health_check_answers_without_a_login(
    codes: str, given: HttpAnswer, expected: Level
) -> None:
    assert health_checks.health_path("https://x.example", "/", codes, given).level is expected
