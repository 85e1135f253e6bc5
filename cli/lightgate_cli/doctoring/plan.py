"""Which checks `lightgate doctor` carries out, and what each of them reads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

from lightgate import VERSION
from lightgate.aws.clients import code_of
from lightgate.aws.http_probe import ask
from lightgate.aws.lightsail_databases import LightsailSnapshots
from lightgate.aws.rds import CLUSTERS, INSTANCES, Snapshots
from lightgate.aws.secretsmanager import Secrets
from lightgate.aws.sns import Topic
from lightgate.backup.database_status import missing
from lightgate.backup.restore_points import Description
from lightgate.checks import (
    accounts,
    app_secrets,
    databases,
    health_checks,
    images,
    networks,
    pulling,
    roles,
    services,
    subscribers,
)
from lightgate.checks.finding import Check, Finding, Level, failure, ok, skipped, unknown
from lightgate.deployment.status import Service
from lightgate.errors import DeniedError, RefusalCode, RefusedError
from lightgate.image.config import artifact_type
from lightgate.rollback.version_history import listed_records
from lightgate.spec.database_kinds import BackupMode, DatabaseKind
from lightgate.spec.health_rules import Probe
from lightgate.spec.image_rules import refusals_of_the_image
from lightgate.spec.keys import AppSpec, SecretReference
from lightgate_cli.connection import AWS_ERRORS, Connection
from lightgate_cli.doctoring.carrying_out import Answer, Planned
from lightgate_cli.reading.gather import LONGEST_ANSWER, SpecRead

_NO_DATABASE = "the app has no database"
_OWN_NETWORK = "a database of Lightsail is in Lightsail's own network"


def of_stack(connection: Connection, apps: int) -> Sequence[Planned]:
    """The checks of the stack, which has so many apps."""
    client = connection.client

    def subscriptions() -> Answer:
        topic = connection.output("TopicArn")
        sns = client("sns")
        email = connection.parameters.get("NotificationEmail", "")
        return subscribers.subscriptions(Topic(sns, sns, topic).subscriptions(), email, topic)

    def stacks() -> Answer:
        pages = client("cloudformation").get_paginator("describe_stacks").paginate()
        found = [one for page in pages for one in page["Stacks"]]
        return accounts.other_stacks(connection.stack, connection.apps_path, found)

    return [
        Planned(
            Check.VERSION,
            lambda: accounts.version(connection.outputs.get("Version"), VERSION, connection.stack),
        ),
        Planned(
            Check.CONCURRENCY,
            lambda: accounts.concurrency(client("lambda").get_account_settings(), apps),
        ),
        Planned(Check.SUBSCRIPTION, subscriptions),
        Planned(Check.STACKS, stacks),
    ]


def of_app(read: SpecRead, connection: Connection) -> Sequence[Planned]:
    """The checks of one app. Without a spec that can be read there is only that to say."""
    if read.spec is None:
        problem = read.problem or f"{connection.apps_path}/{read.app} does not exist"
        return [Planned(Check.SPEC, lambda: failure(Check.SPEC, problem), read.app)]
    app = _App(read.app, read.spec, connection)
    planned: Mapping[Check, Callable[[], Answer]] = {
        Check.SPEC: lambda: ok(Check.SPEC, f"{connection.apps_path}/{read.app} is valid"),
        Check.SERVICE: app.service_state,
        Check.POWER: app.power,
        Check.IMAGE_PULLER: app.image_puller,
        Check.IMAGE: app.image,
        Check.LIFECYCLE: app.lifecycle,
        Check.SECRETS: app.secrets,
        Check.DATABASE: app.database_access,
        Check.BACKUPS: app.backups,
        Check.SNAPSHOTS: app.snapshots,
        Check.PEERING: app.peering,
        Check.SECURITY_GROUP: app.security_group,
        Check.ROLES: app.roles,
        Check.HEALTH_CHECK: app.health_check,
    }
    return [Planned(check, read_it, read.app) for check, read_it in planned.items()]


def secret_prefix(connection: Connection) -> str:
    """Empty for a stack of an older Lightgate, which has no such parameter."""
    return connection.parameters.get("SecretPrefix", "")


def described_secrets(
    spec: AppSpec, connection: Connection
) -> Mapping[SecretReference, app_secrets.StoredSecret | None]:
    stores = Secrets(connection.client("secretsmanager"), connection.client("ssm"))
    return stores.described(app_secrets.references_of(spec))


class _Once[T]:
    """Something that several checks need, read once by whichever comes first."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._read, self._reading = read, Lock()
        self._known: list[T] = []

    def __call__(self) -> T:
        with self._reading:
            if not self._known:
                self._known.append(self._read())
            return self._known[0]


class _App:
    """An app with a valid spec, and what its checks read."""

    def __init__(self, name: str, spec: AppSpec, connection: Connection) -> None:
        self._name, self._spec, self._connection = name, spec, connection
        self._service = _Once(lambda: connection.lightsail.service(spec.service))
        self._images = _Once(self._read_images)
        self._database = _Once(self._read_database)
        self._network = _Once(self._read_network)

    def service_state(self) -> Answer:
        try:
            service = self._service()
        except RefusedError as error:
            if error.code is not RefusalCode.SERVICE_MISSING:
                raise
            return services.no_service(self._spec, error.reasons[0])
        return services.service_state(service, self._connection.stack)

    def power(self) -> Answer:
        service = self._existing_service(Check.POWER)
        if isinstance(service, Finding):
            return service
        powers = self._client("lightsail").get_container_service_powers()
        return services.power(self._spec, service, powers)

    def image_puller(self) -> Answer:
        service = self._existing_service(Check.IMAGE_PULLER)
        if isinstance(service, Finding):
            return service
        policy = self._connection.registry.policy(self._spec.repository)
        return pulling.image_puller(service, self._spec.repository, policy)

    def image(self) -> Answer:
        """The newest image that the spec watches, as Admit would check it."""
        spec, registry = self._spec, self._connection.registry
        newest = images.newest_image(self._images(), lambda tag: spec.watches(spec.repository, tag))
        if newest is None:
            return failure(
                Check.IMAGE,
                f"{spec.repository} has no image with a tag like {', '.join(spec.tags)}",
                f"docker push {self._connection.account}.dkr.ecr.{self._connection.region}"
                f".amazonaws.com/{spec.repository}:{spec.default_tag() or 'TAG'}",
            )
        tag = next(each for each in newest.tags if spec.watches(spec.repository, each))
        manifest = registry.manifest(spec.repository, {"imageDigest": newest.digest})
        if (kind := artifact_type(manifest)) is not None:
            return unknown(Check.IMAGE, f"the newest image, {tag}, is no container image ({kind})")
        config = registry.config(spec.repository, registry.runnable(spec.repository, manifest))
        if reasons := list(refusals_of_the_image(spec, config)):
            return [failure(Check.IMAGE, reason) for reason in reasons]
        return ok(Check.IMAGE, f"the newest image, {tag}, runs on Lightsail (linux/amd64)")

    def lifecycle(self) -> Answer:
        repository = self._spec.repository
        service = self._existing_service(Check.LIFECYCLE)
        if isinstance(service, Finding):
            return service
        return images.lifecycle(
            repository,
            self._connection.registry.lifecycle_policy(repository),
            self._images(),
            self._needed(service),
            self._connection.now(),
        )

    def secrets(self) -> Answer:
        """Whose they are, whether they rotate, and whether their keys and members are there."""
        stored = described_secrets(self._spec, self._connection)
        prefix = secret_prefix(self._connection)
        found = list(app_secrets.stored_secrets(self._spec, stored, self._name, prefix))
        faults = [*self._keys(stored), *self._members(stored, prefix)]
        return [*(one for one in found if one.level is not Level.OK), *faults] or found

    def _keys(
        self, stored: Mapping[SecretReference, app_secrets.StoredSecret | None]
    ) -> Iterator[Finding]:
        """Whether the KMS keys of the secrets can be used; AWS looks after its own."""
        keys: dict[str, SecretReference] = {}
        for reference, found in stored.items():
            if found is not None and found.key and not found.key.startswith("alias/aws/"):
                keys.setdefault(found.key, reference)
        for key, reference in keys.items():
            try:
                metadata = self._client("kms").describe_key(KeyId=key)["KeyMetadata"]
            except AWS_ERRORS as error:
                yield unknown(
                    Check.SECRETS,
                    f"whether the KMS key {key} of {reference} can be used is unknown: DescribeKey "
                    f"answers {code_of(error)}",
                )
                continue
            if (state := metadata["KeyState"]) != "Enabled":
                yield failure(
                    Check.SECRETS,
                    f"the KMS key {key} of the secret {reference} is {state}",
                    f"aws kms enable-key --key-id {key}",
                )

    def _members(
        self, stored: Mapping[SecretReference, app_secrets.StoredSecret | None], prefix: str
    ) -> Iterator[Finding]:
        """Whether each JSON key is there. It reads the values of the app's own secrets only."""
        foreign = {
            one for one, _, _ in app_secrets.foreign_secrets(self._spec, stored, self._name, prefix)
        }
        for reference in app_secrets.references_of(self._spec):
            if reference.json_key is None or reference in foreign or not stored[reference]:
                continue
            try:
                Secrets(self._client("secretsmanager"), self._client("ssm")).resolve([reference])
            except DeniedError:
                yield unknown(
                    Check.SECRETS,
                    f"whether {reference} has its member is unknown: your permissions do not let "
                    "you read the secret",
                )
            except RefusedError as error:
                yield failure(Check.SECRETS, error.reasons[0])

    def database_access(self) -> Answer:
        found = self._found_database(Check.DATABASE)
        return found if isinstance(found, Finding) else databases.access(found)

    def backups(self) -> Answer:
        found = self._found_database(Check.BACKUPS)
        return found if isinstance(found, Finding) else databases.backups(found)

    def snapshots(self) -> Answer:
        database = self._spec.database
        if database is None:
            return skipped(Check.SNAPSHOTS, _NO_DATABASE)
        if database.backup is BackupMode.NONE:
            return skipped(Check.SNAPSHOTS, "the spec wants no snapshots")
        if database.kind is DatabaseKind.LIGHTSAIL:
            return skipped(Check.SNAPSHOTS, "Lightsail shows no quota of database snapshots")
        return databases.snapshot_quota(
            database.kind, self._client("rds").describe_account_attributes()
        )

    def peering(self) -> Answer:
        network = self._found_network(Check.PEERING)
        if isinstance(network, Finding):
            return network
        default = [{"Name": "is-default", "Values": ["true"]}]
        return networks.peering(
            network,
            self._client("lightsail").is_vpc_peered(),
            self._client("ec2").describe_vpcs(Filters=default),
        )

    def security_group(self) -> Answer:
        network = self._found_network(Check.SECURITY_GROUP)
        if isinstance(network, Finding):
            return network
        ec2 = self._client("ec2")
        groups = ec2.describe_security_groups(GroupIds=list(network.groups))
        ranges = networks.lightsail_ranges(ec2.describe_vpc_peering_connections())
        return networks.security_group(network, groups, ranges)

    def roles(self) -> Answer:
        service = self._existing_service(Check.ROLES)
        if isinstance(service, Finding):
            return service
        if service.principal_arn is None:
            return unknown(Check.ROLES, f"{service.name} does not show its own role yet")
        pages = self._client("iam").get_paginator("list_roles").paginate()
        return roles.trusting_roles(
            service.principal_arn, [role for page in pages for role in page["Roles"]]
        )

    def health_check(self) -> Answer:
        service = self._existing_service(Check.HEALTH_CHECK)
        if isinstance(service, Finding):
            return service
        endpoint = service.current.endpoint if service.current is not None else None
        if endpoint is None or service.url is None:
            return skipped(Check.HEALTH_CHECK, "nothing is live that has a public endpoint")
        probe = Probe(
            method="GET",
            path=endpoint.path,
            success_codes=endpoint.success_codes,
            latency=LONGEST_ANSWER,
            headers={},
            body=None,
            expected_header=None,
            expected_text=None,
        )
        return health_checks.health_path(
            service.url, endpoint.path, endpoint.success_codes, ask(service.url, probe)
        )

    def _existing_service(self, check: Check) -> Service | Finding:
        try:
            return self._service()
        except RefusedError as error:
            if error.code is not RefusalCode.SERVICE_MISSING:
                raise
            return skipped(check, f"there is no service {self._spec.service}")

    def _needed(self, service: Service) -> Mapping[str, str]:
        """The images of the live version and of the last good one before it."""
        live = service.current.version if service.current is not None else 0
        records = listed_records(self._connection.releases.versions(self._name), service)
        good = [number for number, one in records.items() if one.is_good and number < live]
        return {
            digest: f"version {number}{' (live)' if number == live else ''}"
            for number in (*sorted(good)[-1:], live)
            if (record := records.get(number)) is not None and (digest := record.digest)
        }

    def _read_images(self) -> Sequence[images.StoredImage]:
        repository = self._spec.repository
        pages = (
            self._client("ecr").get_paginator("describe_images").paginate(repositoryName=repository)
        )
        try:
            return [images.stored_image(one) for page in pages for one in page["imageDetails"]]
        except AWS_ERRORS as error:
            if code_of(error) != "RepositoryNotFoundException":
                raise
            raise RefusedError(
                f"there is no ECR repository {repository} in this Region. To create it: "
                f"aws ecr create-repository --repository-name {repository}",
                code=RefusalCode.IMAGE,
            ) from error

    def _found_database(self, check: Check) -> Description | Finding:
        if self._spec.database is None:
            return skipped(check, _NO_DATABASE)
        return self._database() or failure(
            check, missing(self._spec.database.kind, self._spec.database.name)
        )

    def _read_database(self) -> Description | None:
        database = self._spec.database
        if database is None:
            return None
        match database.kind:
            case DatabaseKind.INSTANCE:
                return Snapshots(self._client("rds"), INSTANCES).describe(database.name)
            case DatabaseKind.CLUSTER:
                return Snapshots(self._client("rds"), CLUSTERS).describe(database.name)
            case DatabaseKind.LIGHTSAIL:
                return LightsailSnapshots(self._client("lightsail")).describe(database.name)

    def _found_network(self, check: Check) -> networks.DatabaseNetwork | Finding:
        database = self._spec.database
        if database is None:
            return skipped(check, _NO_DATABASE)
        if database.kind is DatabaseKind.LIGHTSAIL:
            return skipped(check, _OWN_NETWORK)
        network = self._network()
        return network or unknown(check, f"RDS describes no instance of {database.name}")

    def _read_network(self) -> networks.DatabaseNetwork | None:
        database = self._spec.database
        if database is None:
            return None
        # Of an instance that is a member of a cluster the name is the instance's own.
        which = "db-instance-id" if database.kind is DatabaseKind.INSTANCE else "db-cluster-id"
        answer = self._client("rds").describe_db_instances(
            Filters=[{"Name": which, "Values": [database.name]}]
        )
        found: Iterator[Mapping[str, Any]] = iter(answer["DBInstances"])
        first = next(found, None)
        return networks.network_of(first) if first is not None else None

    def _client(self, service: str) -> Any:  # noqa: ANN401 - boto3 is untyped
        return self._connection.client(service)
