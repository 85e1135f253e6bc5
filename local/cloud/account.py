"""What an account holds before its first release: repository, secrets, database, service, app."""

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from local.cloud.errors import LocalCloudError

_POLL = timedelta(milliseconds=100)
_NETWORK = "lightgate-private"
type Client = Any


def create_repository(ecr: Client, name: str) -> str:
    """Create the repository if it does not exist, and return its URI."""
    try:
        repository = ecr.create_repository(repositoryName=name)["repository"]
    except ecr.exceptions.RepositoryAlreadyExistsException:
        [repository] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    return str(repository["repositoryUri"])


def let_lightsail_pull(ecr: Client, lightsail: Client, repository: str, service: str) -> None:
    """Name the image-puller role of the service in the policy of the repository, beside others."""
    [found] = lightsail.get_container_services(serviceName=service)["containerServices"]
    role = found["privateRegistryAccess"]["ecrImagePullerRole"]["principalArn"]
    try:
        text = ecr.get_repository_policy(repositoryName=repository)["policyText"]
        statements = json.loads(text)["Statement"]
    except ecr.exceptions.RepositoryPolicyNotFoundException:
        statements = []
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    statements.append({"Effect": "Allow", "Principal": {"AWS": role}, "Action": actions})
    policy = {"Version": "2012-10-17", "Statement": statements}
    ecr.set_repository_policy(repositoryName=repository, policyText=json.dumps(policy))


def put_app(
    ssm: Client, app: str, spec: Mapping[str, Any], *, apps_path: str = "/lightgate/apps"
) -> None:
    """Create or change the app: its spec is the parameter `<apps_path>/<app>`."""
    ssm.put_parameter(
        Name=f"{apps_path}/{app}",
        Value=json.dumps(spec, separators=(",", ":")),
        Type="String",
        Tier="Intelligent-Tiering",
        Overwrite=True,
    )


def put_secret_parameter(ssm: Client, name: str, value: str, app: str) -> None:
    """Create or replace a parameter that the app may read."""
    ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=_tags_of(app))


def put_secret(secretsmanager: Client, name: str, values: Mapping[str, str], app: str) -> None:
    """Create or replace a secret that is a JSON object and that the app may read."""
    text = json.dumps(values)
    try:
        secretsmanager.create_secret(Name=name, SecretString=text)
    except secretsmanager.exceptions.ResourceExistsException:
        secretsmanager.put_secret_value(SecretId=name, SecretString=text)
    secretsmanager.tag_resource(SecretId=name, Tags=_tags_of(app))


def _tags_of(app: str) -> list[Mapping[str, str]]:
    return [{"Key": "lightgate:app", "Value": app}]


def create_private_network(
    ec2: Client, rds: Client, lightsail: Client, port: int
) -> Mapping[str, Any]:
    """Peer Lightsail with the default VPC, and let it in on this port.

    The answer is what a database of this network is created with.
    """
    of_default = [{"Name": "is-default", "Values": ["true"]}]
    [vpc] = ec2.describe_vpcs(Filters=of_default)["Vpcs"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = ec2.describe_subnets(Filters=of_vpc)["Subnets"]
    rds.create_db_subnet_group(
        DBSubnetGroupName=_NETWORK,
        DBSubnetGroupDescription="All subnets of the default VPC",
        SubnetIds=[subnet["SubnetId"] for subnet in subnets],
    )
    group: str = ec2.create_security_group(
        GroupName=_NETWORK, Description="Lightsail may connect", VpcId=vpc["VpcId"]
    )["GroupId"]
    from_lightsail = [{"CidrIp": "172.26.0.0/16"}]
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": from_lightsail}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    lightsail.peer_vpc()
    return {"DBSubnetGroupName": _NETWORK, "VpcSecurityGroupIds": [group]}


def create_database_record(
    rds: Client,
    identifier: str,
    port: int,
    password: str,
    network: Mapping[str, Any] | None = None,
) -> None:
    """The record of the RDS instance. Its server is the local PostgreSQL."""
    rds.create_db_instance(
        DBInstanceIdentifier=identifier,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="crops",
        MasterUserPassword=password,
        Port=port,
        BackupRetentionPeriod=7,
        PubliclyAccessible=False,
        **(network or {}),
    )


def create_container_service(
    lightsail: Client, name: str, *, scale: int = 1, within: timedelta = timedelta(seconds=30)
) -> str:
    """Create the container service, wait until it is READY, and return its public URL."""
    lightsail.create_container_service(
        serviceName=name,
        power="nano",
        scale=scale,
        privateRegistryAccess={"ecrImagePullerRole": {"isActive": True}},
    )
    deadline = time.monotonic() + within.total_seconds()
    while True:
        [service] = lightsail.get_container_services(serviceName=name)["containerServices"]
        if service["state"] == "READY":
            return str(service["url"])
        if time.monotonic() > deadline:
            raise LocalCloudError(f"the container service {name} stays {service['state']}")
        time.sleep(_POLL.total_seconds())
