"""Admit: may this release begin, and with which image?"""

from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.advice import warnings
from lightgate.aws.ecr import Registry
from lightgate.compiler import Source, compile_deployment
from lightgate.errors import RefusedError
from lightgate.image import ImageConfig, Manifest
from lightgate.release import Release, pin_tag, release_id, snapshot_id
from lightgate.requests import ReleaseRequest, parse_request
from lightgate.runtime import Json, Runtime, run
from lightgate.spec import AppSpec
from lightgate.spec_parser import parse_app_name, parse_spec


def handler(event: Json, context: LambdaContext) -> Json:
    return run(admit, event, context)


def admit(event: Json, runtime: Runtime) -> Json:
    """PROCEED with the release as it will be, or REFUSED with every reason known by then.

    Changes nothing, so it can run any number of times.
    """
    execution, started_at = event["execution"], datetime.fromisoformat(event["startedAt"])
    try:
        request = parse_request(event["request"])
        text = runtime.apps.read(parse_app_name(request.app))
        spec = parse_spec(text.text)
        manifest = _manifest(request, spec, runtime.registry)
        config = _config_of_what_can_run(spec, manifest, runtime.registry)
        runtime.lightsail.service(spec.service).refuse_if_disabled()
    except RefusedError as error:
        runtime.logger.warning("the release is refused", reasons=error.reasons)
        return {"status": "REFUSED", "reasons": list(error.reasons)}
    release = Release(
        id=release_id(execution, started_at, manifest.digest),
        app=request.app,
        stage=spec.stage.value,
        service=spec.service,
        repository=spec.repository,
        digest=manifest.digest,
        spec_version=text.version,
        reason=request.reason,
        started_at=started_at,
        gates=spec.gates(),
        unprotected=spec.unprotected,
        allow_destructive=request.allow_destructive,
        deployment_timeout=timedelta(seconds=spec.deployment_timeout_seconds),
    )
    return {
        "status": "PROCEED",
        "release": release.to_json(),
        "database": spec.database
        and {
            "instance": spec.database.instance,
            "snapshot": snapshot_id(release.app, release.id),
            "timeoutSeconds": spec.database.timeout_seconds,
        },
        "takeSnapshot": spec.database is not None and not request.skip_snapshot,
        "pollSeconds": spec.poll_seconds,
        "warnings": warnings(spec, config),
    }


def _manifest(request: ReleaseRequest, spec: AppSpec, registry: Registry) -> Manifest:
    if request.digest is not None:
        return registry.manifest(spec.repository, {"imageDigest": request.digest})
    tag = request.tag or spec.default_tag()
    if tag is None:
        raise RefusedError(
            "tag: is missing, and the app watches only patterns, so there is no usual tag; "
            "give a tag or a digest"
        )
    return registry.manifest(spec.repository, {"imageTag": tag})


def _config_of_what_can_run(spec: AppSpec, manifest: Manifest, registry: Registry) -> ImageConfig:
    """Find out now, and not after the snapshot, that the deployment cannot be compiled."""
    config = registry.config(spec.repository, registry.runnable(spec.repository, manifest))
    references = [r for c in spec.containers.values() for r in c.secrets.values()]
    compile_deployment(
        spec,
        Source(reference=f"{spec.repository}:{pin_tag(manifest.digest)}", config=config),
        "0" * 30,
        {reference: str(reference) for reference in references},
    )
    return config
