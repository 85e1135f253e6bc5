"""Check the request of a rehearsal and decide what is restored, or refuse it with every reason.

It creates nothing on AWS.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from lightgate.aws.temporary_databases import FoundSnapshot, OriginalDatabase
from lightgate.checks.app_secrets import StoredSecret, why_foreign
from lightgate.deployment.compiler import ImageSource
from lightgate.errors import RefusalCode, RefusedError
from lightgate.image.config import artifact_type
from lightgate.names import pin_tag, rehearsal_name, rehearsal_names, release_id, snapshot_id
from lightgate.operations.gate_channel import LONGEST_MAILBOX
from lightgate.records.release_record import RELEASING
from lightgate.records.wording import moment
from lightgate.rehearsal.copied_database import Address
from lightgate.rehearsal.gate import (
    PATIENCE_SECONDS,
    compile_rehearsal,
    rehearsal_of,
    rehearsal_spec,
    rehearsed_gate,
)
from lightgate.rehearsal.pull_policy import admits, policy_with
from lightgate.rehearsal.rehearsal_request import RehearsalRequest
from lightgate.rehearsal.rehearsal_state import LONGEST_REHEARSAL, RehearsalPlan, RehearsalState
from lightgate.release.release import Release
from lightgate.runtime import Runtime
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.keys import AppSpec, Database, SecretReference
from lightgate.spec.parser import parse_app_name, parse_spec
from lightgate.spec.time_limits import GRACE_SECONDS

_ENGINES = ("postgres", "mysql", "mariadb")
# A gate reads the tables of its plan, waits for its permit and migrates; each has a time limit.
_BESIDE_THE_COMMAND = timedelta(hours=1)
_LONGEST_POLL = 30
MOST_POLLS = 2500
_RESTORE_AND_REMOVAL = timedelta(hours=3)


def plan_rehearsal(
    request: RehearsalRequest, state: RehearsalState, runtime: Runtime
) -> RehearsalPlan:
    """What the rehearsal will do.

    Raises:
        RefusedError: it cannot start; with every reason known by then.
    """
    app = parse_app_name(request.app)
    text = runtime.apps.read(app)
    spec = parse_spec(text.text, runtime.own_registry)
    gate, rehearsal = rehearsed_gate(spec), rehearsal_of(spec)
    _refuse_while_another_runs(app, state, runtime)
    if not runtime.settings.reconciles:
        raise RefusedError(
            "Reconcile is switched off (the parameter ReconcileState of the stack). Nothing would "
            "remove the temporary instance and service if the rehearsal were stopped; switch it on",
            code=RefusalCode.REHEARSAL,
        )
    name = rehearsal_name(runtime.settings.stack_id, app, state.execution)
    source = _source(request, spec, runtime)
    digest = source.reference.rpartition("@")[2]
    rehearsed = rehearsal_spec(spec, name)
    database = _database(spec)
    original, address = _original(database, runtime)
    identifier = release_id(state.execution, state.started_at, digest)
    # Find out now, and not after the restore, that the deployment cannot be compiled.
    compile_rehearsal(
        rehearsed,
        ImageSource(reference=f"{spec.repository}:{pin_tag(digest)}", config=source.config),
        identifier,
        {
            one: address.host if is_address else str(one)
            for one, is_address in _references(spec).items()
        },
        stack=runtime.settings.stack,
        mailbox="x" * LONGEST_MAILBOX,
        original=address,
        copy=Address(host=f"{name}.copy", port=address.port),
    )
    service = runtime.lightsail.service(spec.service)
    _refuse_without_puller(spec.repository, service.puller_role, app, runtime)
    references = list(_references(spec))
    stored = runtime.secrets.described(references)
    _refuse_foreign(spec, stored, references, app, runtime)
    found = None
    if not request.take_snapshot:
        found = _snapshot(database, original, spec, stored, runtime)
    limit = timedelta(seconds=(spec.time_limit(gate) or 0) + GRACE_SECONDS)
    timeout = _BESIDE_THE_COMMAND + 2 * limit
    limit_of_snapshot = timedelta(seconds=database.timeout_seconds)
    return RehearsalPlan(
        release=Release(
            id=identifier,
            app=app,
            stage=spec.stage.value,
            service=name,
            repository=spec.repository,
            digest=digest,
            rollback_to=None,
            command=None,
            spec_version=text.version,
            spec_digest=text.digest,
            reason=request.reason,
            started_by=request.started_by,
            started_at=state.started_at,
            gates=(gate,),
            unprotected=True,
            allow_destructive=True,
            asking_gates={gate: limit},
            policy=spec.migrations.policy,
            platform_patience=timedelta(seconds=PATIENCE_SECONDS),
            deployment_timeout=timeout,
            open_variables={gate: tuple(rehearsal.environment)},
            tag=request.tag
            or request.image_tag
            or (None if request.digest else spec.default_tag()),
        ),
        name=name,
        gate=gate,
        database=database.name,
        original=address,
        snapshot=found.id if found is not None else snapshot_id(app, identifier),
        take_snapshot=found is None,
        power=service.power or "nano",
        time_limit=limit_of_snapshot,
        poll_seconds=_poll_seconds(spec, timeout + limit_of_snapshot),
        max_lock_seconds=rehearsal.max_lock_seconds,
        warnings=tuple(_warnings(original)),
    )


def _refuse_while_another_runs(app: str, state: RehearsalState, runtime: Runtime) -> None:
    for one in runtime.rehearsals.history(app):
        is_recent = runtime.now() - one.started_at < LONGEST_REHEARSAL
        if one.status == RELEASING and one.execution != state.execution and is_recent:
            raise RefusedError(
                f"the rehearsal {one.release} of {app} is still in progress",
                code=RefusalCode.REHEARSAL,
            )


def _source(request: RehearsalRequest, spec: AppSpec, runtime: Runtime) -> ImageSource:
    """The image that runs, by its digest."""
    tag = request.tag or spec.default_tag()
    if request.digest is None and tag is None:
        raise RefusedError(
            "tag: is missing, and the spec has only tag patterns, so there is no default tag; "
            "give a tag or a digest",
            code=RefusalCode.INPUT,
        )
    named = {"imageDigest": request.digest} if request.digest else {"imageTag": tag or ""}
    manifest = runtime.registry.manifest(spec.repository, named)
    if (kind := artifact_type(manifest)) is not None:
        raise RefusedError(
            f"{spec.repository}@{manifest.digest} is no container image ({kind})",
            code=RefusalCode.NO_IMAGE,
        )
    runnable = runtime.registry.runnable(spec.repository, manifest)
    config = runtime.registry.config(spec.repository, runnable)
    return ImageSource(reference=f"{spec.repository}@{runnable.digest}", config=config)


def _database(spec: AppSpec) -> Database:
    database = spec.database
    if database is None or database.kind is not DatabaseKind.INSTANCE:
        raise RefusedError(
            "database: a rehearsal needs an RDS instance, because it restores its snapshot",
            code=RefusalCode.REHEARSAL,
        )
    return database


def _original(database: Database, runtime: Runtime) -> tuple[OriginalDatabase, Address]:
    found = runtime.temporary_databases.original(database.name)
    if found is None:
        raise RefusedError(
            f"database.instance: there is no RDS instance {database.name} in this region",
            code=RefusalCode.DATABASE,
        )
    if not found.engine.startswith(_ENGINES):
        raise RefusedError(
            f"database.instance: {database.name} runs {found.engine}; only PostgreSQL, MySQL and "
            "MariaDB can be rehearsed",
            code=RefusalCode.REHEARSAL,
        )
    if found.address is None:
        raise RefusedError(
            f"database.instance: {database.name} has no address yet", code=RefusalCode.DATABASE
        )
    return found, found.address


def _references(spec: AppSpec) -> Mapping[SecretReference, bool]:
    """The secrets of the rehearsal, and whether one has the address of the database."""
    rehearsal = rehearsal_of(spec)
    secrets = rehearsal.secrets
    return {one: one == secrets.get(rehearsal.database_variable) for one in secrets.values()}


def _refuse_without_puller(
    repository: str, app_role: str | None, app: str, runtime: Runtime
) -> None:
    if app_role is None:
        raise RefusedError(
            "repository: the app's own service has no role to pull images, so the account of "
            f"Lightsail's roles is unknown. lightgate doctor {app} says how to get one",
            code=RefusalCode.IMAGE_PULLER,
        )
    policy = runtime.registry.policy(repository)
    names = rehearsal_names(runtime.settings.stack_id, app)
    if not admits(policy, app_role, names):
        raise RefusedError(
            f"repository: the policy of {repository} does not let the temporary services of "
            f"rehearsals pull the image. Set this policy: {policy_with(policy, app_role, names)}",
            code=RefusalCode.IMAGE_PULLER,
        )


def _refuse_foreign(
    spec: AppSpec,
    stored: Mapping[SecretReference, StoredSecret | None],
    references: Sequence[SecretReference],
    app: str,
    runtime: Runtime,
) -> None:
    """Refuse secrets that are not known to be the app's, as for a release."""
    reasons = []
    for reference in references:
        found = stored.get(reference)
        if reference not in stored:
            reasons.append(f"the secret {reference} cannot be described, so whose it is is unknown")
        elif found is not None and (
            why := why_foreign(reference, found, app, runtime.settings.secret_prefix, spec.database)
        ):
            reasons.append(why)
    if reasons:
        raise RefusedError(
            *(f"rehearsal.secrets: {why}" for why in reasons), code=RefusalCode.SECRET_FOREIGN
        )


def _snapshot(
    database: Database,
    original: OriginalDatabase,
    spec: AppSpec,
    stored: Mapping[SecretReference, StoredSecret | None],
    runtime: Runtime,
) -> FoundSnapshot:
    """The newest snapshot that the password of today opens."""
    found = runtime.temporary_databases.newest_snapshot(database.name, original.resource)
    how = "Rehearse with a new snapshot: --new-snapshot"
    if found is None:
        raise RefusedError(
            f"database: {database.name} has no snapshot that is available. {how}",
            code=RefusalCode.REHEARSAL,
        )
    for reference in _references(spec):
        secret = stored.get(reference)
        changed_at = secret.changed_at if secret is not None else None
        if changed_at is not None and changed_at > found.at:
            raise RefusedError(
                f"the secret {reference} was changed at {moment(changed_at)}, after the newest "
                f"snapshot {found.id} of {moment(found.at)}. The restored database may have "
                f"another password than the secret. {how}",
                code=RefusalCode.REHEARSAL,
            )
    return found


def _poll_seconds(spec: AppSpec, longest: timedelta) -> int:
    """An execution ends without a record at 25,000 events, and one check takes nine."""
    shortest = math.ceil((longest + _RESTORE_AND_REMOVAL).total_seconds() / MOST_POLLS)
    return max(min(spec.poll_seconds, _LONGEST_POLL), shortest)


def _warnings(original: OriginalDatabase) -> Iterator[str]:
    if original.is_public:
        yield (
            "The app's own database is publicly accessible, and the copy is not: the temporary "
            "service reaches it only through the VPC peering of Lightsail."
        )
    if original.key is not None:
        yield (
            f"The storage is encrypted with {original.key}. If that is a key of your own and not "
            "aws/rds, its policy has to let the role of PrepareRehearsal restore the snapshot "
            "(docs/rehearsal.md)."
        )
