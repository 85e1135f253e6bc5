"""Check a request and prepare its release, or refuse it with every reason.

It changes nothing: all checks come first, and the deployment is compiled once as a test.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lightgate.aws.ecr import Registry
from lightgate.aws.ssm import SpecText
from lightgate.backup.database_status import missing, why_doubtful, why_unusable
from lightgate.backup.restore_points import Description
from lightgate.checks.app_secrets import StoredSecret, foreign_secrets, references_of
from lightgate.checks.databases import public_warning, why_not_private
from lightgate.checks.finding import Level
from lightgate.checks.pulling import image_puller
from lightgate.deployment.compiler import ImageSource, compile_deployment
from lightgate.deployment.one_off_command import command_spec, compile_command
from lightgate.deployment.pinning import why_not_pinned
from lightgate.deployment.status import Deployment, Service
from lightgate.errors import NoImageError, RefusalCode, RefusedError, SpecError, UnreachableError
from lightgate.image.config import ImageConfig, Manifest, artifact_type
from lightgate.names import COMMAND_CONTAINER, pin_tag, release_id
from lightgate.operations.check_tags import note_tags
from lightgate.operations.gate_channel import LONGEST_MAILBOX
from lightgate.operations.kept_images import KeptImages, refuse_without_images
from lightgate.operations.service_ownership import refuse_if_foreign
from lightgate.records.version import VersionRecord
from lightgate.release.release import Release, ReleaseKind, UsedSpec
from lightgate.release.request import ReleaseRequest
from lightgate.rollback.policy import (
    VersionHistory,
    last_reversing_command,
    no_rollback_notice,
    why_refused,
)
from lightgate.rollback.version_history import listed_records
from lightgate.runtime import Runtime
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.effect import Effect
from lightgate.spec.image_rules import refusals_of_the_image
from lightgate.spec.keys import AppSpec, Database, SecretReference
from lightgate.spec.migration_policy import Policy
from lightgate.spec.parser import parse_app_name, parse_spec
from lightgate.spec.time_limits import GRACE_SECONDS, asking_gates
from lightgate.spec.warnings.all_warnings import warnings
from lightgate.spec.warnings.surroundings import warnings_beside, warnings_of_nodes

_NOT_REHEARSED = (
    "rehearsal.beforeRelease: a person has started this release, so it was not rehearsed."
)
# A longer reason is cut, and a command that is cut cannot be run.
_LONGEST_COMMAND = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRelease:
    """A release that may request the lock. `spec` is the app's spec of today.

    `no_rollback_reason` says why Lightgate could not roll back to the live version automatically;
    None if it could. `database` is None if the app has none, or if AWS does not describe it.
    `fingerprint` stands for the image, the spec and the versions of the secrets; it is None if
    some of them are unknown, or if no image is released.
    """

    release: Release
    spec: AppSpec
    service: Service
    warnings: Sequence[str]
    no_rollback_reason: str | None = None
    database: Description | None = None
    fingerprint: str | None = None


def prepare_release(
    request: ReleaseRequest, execution: str, started_at: datetime, runtime: Runtime
) -> PreparedRelease:
    """The release for the request.

    Raises:
        RefusedError: the release cannot start; with every reason known by then.
    """
    text = runtime.apps.read(parse_app_name(request.app))
    spec = parse_spec(text.text, runtime.own_registry)
    note_tags(request, text, spec, runtime)
    database = _database(spec, runtime)
    if request.rollback_to is None and spec.require_private_database and spec.database is not None:
        _refuse_unless_private(database, spec.database)
    admitted = _prepared(_Asked(request, execution, started_at, text, spec), runtime)
    stored = runtime.secrets.described(references_of(spec))
    _refuse_foreign_secrets(spec, stored, text.app, runtime)
    warnings = [*admitted.warnings, *filter(None, _warnings_of_database(database))]
    return replace(
        admitted,
        database=database,
        warnings=warnings,
        fingerprint=_fingerprint(admitted, text, stored, runtime),
    )


def _refuse_foreign_secrets(
    spec: AppSpec, stored: Mapping[SecretReference, StoredSecret | None], app: str, runtime: Runtime
) -> None:
    """Raise RefusedError for secrets that are not known to be the app's."""
    prefix = runtime.settings.secret_prefix
    reasons = [
        f"secrets: {why}{f'. To let {app} read it: {fix}' if fix else ''}"
        for _, why, fix in foreign_secrets(spec, stored, app, prefix)
    ]
    if reasons:
        raise RefusedError(*reasons, code=RefusalCode.SECRET_FOREIGN)


def _fingerprint(
    admitted: PreparedRelease,
    text: SpecText,
    stored: Mapping[SecretReference, StoredSecret | None],
    runtime: Runtime,
) -> str | None:
    """Equal only for releases that would deploy the same. It needs no secret value."""
    release = admitted.release
    if release.kind is not ReleaseKind.IMAGE:
        return None
    known = {one: secret.version for one, secret in stored.items() if secret and secret.version}
    references = references_of(admitted.spec)
    if unknown := [str(one) for one in references if one not in known]:
        runtime.logger.warning("the versions of some secrets are unknown", secrets=unknown)
        return None
    versions = {one: known[one] for one in references}
    parts = [release.digest, text.digest, sorted((str(k), v) for k, v in versions.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _prepared(asked: "_Asked", runtime: Runtime) -> PreparedRelease:
    request, spec = asked.request, asked.spec
    if request.rollback_to is not None:
        return _rollback(asked, request.rollback_to, runtime)
    manifest = _manifest(request, spec, runtime.registry)
    if (kind := artifact_type(manifest)) is not None:
        raise NoImageError(
            f"{spec.repository}@{manifest.digest} is no container image ({kind}), so it cannot be "
            "released; give the tag or the digest of an image"
        )
    runnable = runtime.registry.runnable(spec.repository, manifest)
    config = runtime.registry.config(spec.repository, runnable)
    if request.command is not None:
        admitted = _command(asked, request.command, runnable.digest, config, runtime)
    else:
        admitted = _image(asked, runnable.digest, config, runtime)
    pushed = manifest.digest if manifest.digest != runnable.digest else None
    return replace(admitted, release=replace(admitted.release, pushed_digest=pushed))


def _database(spec: AppSpec, runtime: Runtime) -> Description | None:
    """The app's database, None if it has none or if AWS does not describe it.

    Also without a snapshot: the gate and the app would not reach a database that is down.

    Raises:
        RefusedError: it does not exist, or no release can begin with it.
        UnreachableError: AWS does not describe it, and the spec requires a private one.
    """
    if spec.database is None:
        return None
    kind, name = spec.database.kind, spec.database.name
    try:
        found = runtime.restore_points(kind).describe(name)
    except UnreachableError as error:
        if spec.require_private_database:
            raise
        # Then the commands of a restore look it up themselves.
        runtime.logger.warning("the database cannot be described", why=str(error))
        return None
    if found is None:
        raise RefusedError(
            missing(kind, name, _of_another_kind(kind, name, runtime)), code=RefusalCode.DATABASE
        )
    if (why := why_unusable(found)) is not None:
        raise RefusedError(why, code=RefusalCode.DATABASE)
    return found


def _refuse_unless_private(found: Description | None, database: Database) -> None:
    why = why_not_private(found) if found is not None else None
    if found is None or why is not None:
        raise RefusedError(
            why or f"requirePrivateDatabase: {database.name} could not be described",
            code=RefusalCode.DATABASE_PUBLIC,
        )


def _warnings_of_database(found: Description | None) -> Iterator[str | None]:
    if found is not None:
        yield why_doubtful(found)
        yield public_warning(found)


def _of_another_kind(kind: DatabaseKind, name: str, runtime: Runtime) -> Description | None:
    for other in DatabaseKind:
        if other is not kind:
            with contextlib.suppress(UnreachableError):
                if (found := runtime.restore_points(other).describe(name)) is not None:
                    return found
    return None


@dataclass(frozen=True, slots=True)
class _Asked:
    request: ReleaseRequest
    execution: str
    started_at: datetime
    text: SpecText
    spec: AppSpec

    def release(
        self,
        digest: str | None,
        *,
        gates: Sequence[str],
        unprotected: bool,
        asking_gates: Mapping[str, timedelta],
        policy: Policy,
        automatic_rollback: tuple[Effect, ...],
        since: datetime | None,
        used: SpecText | UsedSpec | None,
        open_variables: Mapping[str, tuple[str, ...]],
        tag: str | None,
    ) -> Release:
        spec, request = self.spec, self.request
        return Release(
            id=release_id(self.execution, self.started_at, digest),
            app=self.text.app,
            stage=spec.stage.value,
            service=spec.service,
            repository=spec.repository,
            digest=digest,
            rollback_to=request.rollback_to,
            command=request.command,
            spec_version=used.version if used else self.text.version,
            spec_digest=used.digest if used else None,
            service_since=since,
            reason=request.reason,
            started_by=request.started_by,
            started_at=self.started_at,
            gates=tuple(gates),
            unprotected=unprotected,
            allow_destructive=request.allow_destructive,
            asking_gates=asking_gates,
            policy=policy,
            automatic_rollback=automatic_rollback,
            reverse=spec.rollback.reverse,
            platform_patience=timedelta(seconds=spec.platform_patience_seconds),
            deployment_timeout=timedelta(seconds=spec.deployment_timeout_seconds),
            open_variables=open_variables,
            tag=tag,
        )


def _service(asked: _Asked, runtime: Runtime) -> Service:
    service = runtime.lightsail.service(asked.spec.service)
    service.refuse_if_disabled()
    refuse_if_foreign(service, asked.text.app, runtime)
    # A version that is deployed again may have its images from another repository.
    if asked.request.rollback_to is None:
        _refuse_without_puller(service, asked, runtime)
    return service


def _refuse_without_puller(service: Service, asked: _Asked, runtime: Runtime) -> None:
    """Find out now, and not after the snapshot, that Lightsail cannot pull the image."""
    repository = asked.spec.repository
    has_role = service.puller_role is not None
    policy = runtime.registry.policy(repository) if has_role else None
    found = image_puller(service, repository, policy)
    if found.level is Level.FAILURE:
        [command, *_] = found.fix
        how = f"Run this command, and release again: {command}"
        if len(command) > _LONGEST_COMMAND:
            how = f"lightgate doctor {asked.text.app} prints the command that mends it."
        raise RefusedError(f"repository: {found.text}. {how}", code=RefusalCode.IMAGE_PULLER)


def _image(asked: _Asked, digest: str, config: ImageConfig, runtime: Runtime) -> PreparedRelease:
    spec = asked.spec
    if reasons := list(refusals_of_the_image(spec, config)):
        raise RefusedError(*reasons, code=RefusalCode.IMAGE)
    asking = asking_gates(spec)
    # Find out now, and not after the snapshot, that the deployment cannot be compiled.
    compile_deployment(
        spec,
        _tried(spec, digest, config),
        _ANY_RELEASE,
        _any_secrets(spec),
        stack=runtime.settings.stack,
        mailboxes=dict.fromkeys(asking, _ANY_MAILBOX),
    )
    service = _service(asked, runtime)
    serving = service.current
    told = no_rollback_notice(serving, _gone(serving, service, asked, runtime))
    return PreparedRelease(
        release=asked.release(
            digest,
            gates=spec.gates(),
            unprotected=spec.unprotected,
            asking_gates=asking,
            policy=spec.migrations.policy,
            automatic_rollback=spec.migrations.automatic_rollback,
            since=service.created_at,
            used=asked.text,
            open_variables=spec.open_variables(),
            tag=_tag(asked.request, spec),
        ),
        spec=spec,
        service=service,
        warnings=[
            *warnings(spec, config),
            *warnings_of_nodes(spec, config, service.scale),
            *_warnings_beside(asked, runtime),
            *([_NOT_REHEARSED] if _skips_rehearsal(asked) else []),
            *([told] if told else []),
        ],
        no_rollback_reason=told if serving is not None else None,
    )


def _skips_rehearsal(asked: _Asked) -> bool:
    rehearsal = asked.spec.rehearsal
    is_pushed = asked.request.pushed_tag is not None
    return rehearsal is not None and rehearsal.before_release and not is_pushed


def _gone(
    serving: Deployment | None, service: Service, asked: _Asked, runtime: Runtime
) -> Sequence[str]:
    if serving is None:
        return ()
    past = listed_records(runtime.releases.versions(asked.text.app), service)
    return KeptImages(past, runtime).of(serving).gone


def _warnings_beside(asked: _Asked, runtime: Runtime) -> Sequence[str]:
    """What the specs of other apps mean for this one. Without them the release goes on."""
    try:
        texts = runtime.apps.others(asked.text.app)
    except UnreachableError as error:
        runtime.logger.warning("the other apps cannot be read", why=str(error))
        return []
    others = {}
    for text in texts:
        with contextlib.suppress(SpecError):
            others[text.app] = parse_spec(text.text)
    return warnings_beside(asked.spec, others)


def _command(
    asked: _Asked, command: tuple[str, ...], digest: str, config: ImageConfig, runtime: Runtime
) -> PreparedRelease:
    spec = command_spec(asked.spec, command)
    compile_command(
        asked.spec,
        command,
        _tried(spec, digest, config),
        _ANY_RELEASE,
        _any_secrets(spec),
        stack=runtime.settings.stack,
        mailbox=_ANY_MAILBOX,
        allow_destructive=asked.request.allow_destructive,
        beside=asked.spec,
    )
    service = _service(asked, runtime)
    if service.current is None:
        raise RefusedError(
            "command: no version is live, so there is no app to run it beside",
            code=RefusalCode.NOTHING_LIVE,
        )
    kept = refuse_without_images(
        service, service.current.version, asked.text.app, "command", runtime
    )
    limit = (spec.time_limit(COMMAND_CONTAINER) or 0) + GRACE_SECONDS
    # The effect of another command is unknown, and the person who starts it is responsible.
    is_migration = spec.reads_plan(COMMAND_CONTAINER)
    return PreparedRelease(
        release=asked.release(
            digest,
            gates=[COMMAND_CONTAINER],
            # The app becomes active without it, so only what its gate reports counts.
            unprotected=True,
            asking_gates={COMMAND_CONTAINER: timedelta(seconds=limit)},
            policy=spec.migrations.policy if is_migration else Policy.ALLOW,
            automatic_rollback=spec.migrations.automatic_rollback,
            since=service.created_at,
            used=asked.text,
            # The app beside it may come from another spec.
            open_variables={COMMAND_CONTAINER: spec.open_variables()[COMMAND_CONTAINER]},
            tag=_tag(asked.request, spec),
        ),
        spec=asked.spec,
        service=service,
        warnings=kept.notes,
    )


def _rollback(asked: _Asked, version: int, runtime: Runtime) -> PreparedRelease:
    spec = asked.spec
    service = _service(asked, runtime)
    if service.current is None:
        raise RefusedError(
            "rollbackTo: no version is live, so there is nothing to roll back",
            code=RefusalCode.NOTHING_LIVE,
        )
    past = listed_records(runtime.releases.versions(asked.text.app), service)
    history = VersionHistory(listed=service.deployments, records=past)
    overridden = asked.request.allow_destructive
    known = past.get(version)
    used = known.spec if known is not None else None
    then = _spec_of(known, asked, runtime)
    gates = then.gates() if known is not None else ()
    gates_check = bool(gates) and all(then.reads_plan(gate) for gate in gates)
    reasons = why_refused(
        version, service.current.version, history, overridden=overridden, gates_check=gates_check
    )
    if reasons:
        raise RefusedError(*reasons, code=RefusalCode.ROLLBACK)
    kept = refuse_without_images(service, version, asked.text.app, "rollbackTo", runtime)
    [target] = [one for one in service.deployments if one.version == version]
    loose = why_not_pinned(target)
    command = last_reversing_command(version, history)
    return PreparedRelease(
        release=asked.release(
            known.digest if known is not None else None,
            gates=gates,
            unprotected=then.unprotected,
            asking_gates={},
            policy=then.migrations.policy,
            automatic_rollback=then.migrations.automatic_rollback,
            since=service.created_at,
            used=used,
            open_variables=then.open_variables() if used else {},
            tag=known.tag if known is not None else None,
        ),
        spec=spec,
        service=service,
        warnings=[
            *([f"Version {version} may not be the same as before: {loose}."] if loose else []),
            *kept.notes,
            *([_NOT_GOOD.format(version)] if known is not None and not known.is_good else []),
            *([_OVERRIDDEN] if overridden else []),
            *([_LEFT_TO_GATES.format(command, version)] if command and not overridden else []),
        ],
    )


_LEFT_TO_GATES = (
    "A command has run beside version {}, so the record does not show whether version {} can work "
    "with the current database. The gate of that version checks this when it starts."
)
_NOT_GOOD = "Version {} was not verified as healthy when it was live, and may fail again."
_OVERRIDDEN = (
    "The check whether the old version can work with the database was overridden with "
    '"allowDestructive".'
)


def _spec_of(known: VersionRecord | None, asked: _Asked, runtime: Runtime) -> AppSpec:
    if known is None or known.spec is None:
        return asked.spec
    try:
        return parse_spec(runtime.apps.read_again(asked.text.app, known.spec).text)
    except RefusedError as error:
        instead = json.dumps({"app": asked.text.app, "digest": known.digest})
        raise RefusedError(
            f"rollbackTo: the spec with which version {known.version} was deployed cannot be used "
            f"any more; its image can be released with the current spec: {instead}",
            *error.reasons,
            code=RefusalCode.ROLLBACK,
        ) from error


def _tag(request: ReleaseRequest, spec: AppSpec) -> str | None:
    """The tag of the image that is requested, if it is known."""
    if request.digest is not None:
        return request.pushed_tag or request.image_tag
    return request.tag or spec.default_tag()


def _manifest(request: ReleaseRequest, spec: AppSpec, registry: Registry) -> Manifest:
    if request.digest is not None:
        return registry.manifest(spec.repository, {"imageDigest": request.digest})
    tag = _tag(request, spec)
    if tag is None:
        raise RefusedError(
            "tag: is missing, and the spec has only tag patterns, so there is no default tag; "
            "give a tag or a digest",
            code=RefusalCode.INPUT,
        )
    return registry.manifest(spec.repository, {"imageTag": tag})


# As long as those of the real deployment, so that the trial has its size.
_ANY_RELEASE = "0" * 30
_ANY_MAILBOX = "x" * LONGEST_MAILBOX


def _tried(spec: AppSpec, digest: str, config: ImageConfig) -> ImageSource:
    return ImageSource(reference=f"{spec.repository}:{pin_tag(digest)}", config=config)


def _any_secrets(spec: AppSpec) -> Mapping[SecretReference, str]:
    return {reference: str(reference) for reference in references_of(spec)}
