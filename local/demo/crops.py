"""The example app: its releases as images, and the resources that it needs."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.cloud import account, registry
from local.cloud.postgres import Database
from local.cloud.registry import Image, ImageConfig

APP = "crops-backend"
RELEASES = ("v1", "v2", "v2.1", "v3")
# Releases that fail: the overlays of each one, on top of those of v2.
_ALONE = (
    *("crash-on-start", "missing-variable", "wrong-port", "unhealthy", "fails-later"),
    *("default-only", "slow-migration", "one-way"),
)
FAILURES: dict[str, tuple[str, ...]] = {
    **{overlay: (overlay,) for overlay in _ALONE},
    "additive-fails-later": ("additive", "fails-later"),
    "default-only-crash": ("default-only", "crash-on-start"),
    "one-way-crash": ("one-way", "crash-on-start"),
    "one-way-fails-later": ("one-way", "fails-later"),
}
_EXAMPLE = Path(__file__).parents[2] / "examples" / "crops"


def spec() -> dict[str, Any]:
    """The app spec of the example, with a short watch period."""
    loaded: dict[str, Any] = json.loads((_EXAMPLE / "containers-with-migrations.json").read_text())
    return loaded | {"verification": {"watchSeconds": 2}}


def folders(release: str) -> list[Path]:
    """The folders of a release: the app, then every overlay up to this release."""
    if release in FAILURES:
        overlays = ("v1", "v2", *FAILURES[release])
    else:
        overlays = RELEASES[: RELEASES.index(release) + 1]
    return [_EXAMPLE / "app", *(_EXAMPLE / "releases" / name for name in overlays)]


def image(release: str, *, architecture: str = "amd64") -> Image:
    """The release as an image, with the CMD of the example's Dockerfile."""
    command = ("gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000")
    return registry.build(folders(release), ImageConfig(cmd=command, architecture=architecture))


def furnish(client: Callable[[str], Any], database: Database) -> str:
    """Make the account ready for a first release of the app, and return its public URL.

    The app is created last, because a push starts a release from then on.
    """
    wanted = spec()
    account.create_repository(client("ecr"), wanted["repository"])
    network = account.create_private_network(
        client("ec2"), client("rds"), client("lightsail"), database.port
    )
    account.create_database_record(
        client("rds"),
        wanted["database"]["instance"],
        database.port,
        database.password,
        network,
    )
    account.put_secret(client("secretsmanager"), "crops/db", {"url": database.url}, APP)
    account.put_secret_parameter(client("ssm"), "/crops/secret-key", secrets.token_urlsafe(32), APP)
    service = wanted["serviceName"]
    url = account.create_container_service(client("lightsail"), service)
    account.let_lightsail_pull(client("ecr"), client("lightsail"), wanted["repository"], service)
    account.put_app(client("ssm"), APP, wanted)
    return url
