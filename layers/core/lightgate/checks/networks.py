"""The way from the containers to a private database: peering, and who the security groups let in.

Container services are in Lightsail's own VPC. Peering connects it with the default VPC of the
account in the same Region. One public project runs so in production; nobody has published a log of
such a connection.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightgate.checks.finding import Check, Finding, failure, ok, warning
from lightgate.errors import MissingError

_LIGHTSAIL_RANGE = "172.26.0.0/16"
_EVERYONE = ("0.0.0.0/0", "::/0")
_PEER = "aws lightsail peer-vpc"

type _Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseNetwork:
    """Where a database of RDS is: its VPC, its port, and its active security groups."""

    name: str
    vpc: str
    port: int
    groups: Sequence[str]


def network_of(instance: Mapping[str, Any]) -> DatabaseNetwork:
    """By the description of an RDS instance. That of a cluster does not name the VPC."""
    return DatabaseNetwork(
        name=instance["DBInstanceIdentifier"],
        vpc=instance["DBSubnetGroup"]["VpcId"],
        # Without an endpoint the instance is still being made.
        port=instance["Endpoint"]["Port"],
        groups=[one["VpcSecurityGroupId"] for one in instance["VpcSecurityGroups"]],
    )


def peering(
    network: DatabaseNetwork, peered: Mapping[str, Any], vpcs: Mapping[str, Any]
) -> Finding:
    """`peered` is the answer of IsVpcPeered, `vpcs` that of DescribeVpcs for the default VPC."""
    if not peered["isPeered"]:
        return warning(
            Check.PEERING,
            "Lightsail's VPC is not peered with the default VPC of this Region, so the app reaches "
            f"{network.name} only if it is publicly accessible",
            _PEER,
        )
    default = [one["VpcId"] for one in vpcs["Vpcs"] if one["IsDefault"]]
    if network.vpc not in default:
        peers = ", ".join(default) or "none"
        return warning(
            Check.PEERING,
            f"{network.name} is in the VPC {network.vpc}, and Lightsail peers with the default VPC "
            f"only ({peers})",
            "Restore a snapshot of the database into the default VPC, and change the spec.",
        )
    return ok(
        Check.PEERING, f"Lightsail's VPC is peered with {network.vpc}, that of {network.name}"
    )


def lightsail_ranges(connections: Mapping[str, Any]) -> Sequence[str]:
    """Lightsail's ranges by the answer of DescribeVpcPeeringConnections.

    The IPv6 range differs between accounts. Without a connection the IPv4 range of all accounts.
    """
    found: list[str] = []
    for one in connections["VpcPeeringConnections"]:
        if one["Status"]["Code"] != "active":
            continue
        for side in (one["RequesterVpcInfo"], one["AccepterVpcInfo"]):
            if side.get("CidrBlock") == _LIGHTSAIL_RANGE:
                found += [_LIGHTSAIL_RANGE]
                found += [each["Ipv6CidrBlock"] for each in side.get("Ipv6CidrBlockSet", ())]
    return list(dict.fromkeys(found)) or [_LIGHTSAIL_RANGE]


def security_group(
    network: DatabaseNetwork, groups: Mapping[str, Any], ranges: Sequence[str]
) -> Iterator[Finding]:
    """`groups` is the answer of DescribeSecurityGroups for those of the database."""
    described = {one["GroupId"]: one for one in groups["SecurityGroups"]}
    if missing := [one for one in network.groups if one not in described]:
        raise MissingError(f"EC2 does not describe {', '.join(missing)}")
    allowed = {
        group: [_network(cidr) for cidr in _sources(described[group], network.port)]
        for group in network.groups
    }
    is_complete = True
    for group, networks in allowed.items():
        for wide in [each for each in networks if str(each) in _EVERYONE]:
            is_complete = False
            yield failure(
                Check.SECURITY_GROUP,
                f"{group} lets everyone ({wide}) in on port {network.port} of {network.name}",
                f"aws ec2 revoke-security-group-ingress --group-id {group} --ip-permissions "
                f"{_permission(network.port, str(wide))}",
            )
    everything = [each for networks in allowed.values() for each in networks]
    for wanted in map(_network, ranges):
        if not any(_covers(each, wanted) for each in everything):
            is_complete = False
            yield warning(
                Check.SECURITY_GROUP,
                f"no security group of {network.name} lets Lightsail's range {wanted} in on port "
                f"{network.port}",
                f"aws ec2 authorize-security-group-ingress --group-id {network.groups[0]} "
                f"--ip-permissions {_permission(network.port, str(wanted))}",
            )
    if is_complete:
        yield ok(
            Check.SECURITY_GROUP,
            f"port {network.port} of {network.name} is open to {' and '.join(ranges)}, and not to "
            f"everyone ({', '.join(network.groups)})",
        )


def _sources(group: Mapping[str, Any], port: int) -> Iterator[str]:
    """The ranges that the group lets in on this port."""
    for rule in group["IpPermissions"]:
        is_all = rule["IpProtocol"] == "-1"
        if is_all or (
            rule["IpProtocol"] in ("tcp", "6") and rule["FromPort"] <= port <= rule["ToPort"]
        ):
            yield from (each["CidrIp"] for each in rule.get("IpRanges", ()))
            yield from (each["CidrIpv6"] for each in rule.get("Ipv6Ranges", ()))


def _network(cidr: str) -> _Network:
    return ipaddress.ip_network(cidr, strict=False)


def _covers(allowed: _Network, wanted: _Network) -> bool:
    if isinstance(allowed, ipaddress.IPv4Network):
        return isinstance(wanted, ipaddress.IPv4Network) and wanted.subnet_of(allowed)
    return isinstance(wanted, ipaddress.IPv6Network) and wanted.subnet_of(allowed)


def _permission(port: int, cidr: str) -> str:
    ranges = f"Ipv6Ranges=[{{CidrIpv6={cidr}}}]" if ":" in cidr else f"IpRanges=[{{CidrIp={cidr}}}]"
    return f"'IpProtocol=tcp,FromPort={port},ToPort={port},{ranges}'"
