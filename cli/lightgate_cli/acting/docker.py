"""The user's docker: builds an image, and pushes it to ECR."""

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lightgate_cli.connection import Connection
from lightgate_cli.errors import CommandError, Problem

_STANDARD_ERROR = 2
# Lightsail runs no other one.
PLATFORM = "linux/amd64"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image as docker has it. `id` is the digest of its configuration or of its manifest."""

    id: str
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The registry of the account, and a password that is valid for hours."""

    host: str
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.host})"


class Docker:
    """What docker prints goes to standard error, because results go to standard output."""

    def __init__(self) -> None:
        if shutil.which("docker") is None:
            raise CommandError(
                Problem.NO_DOCKER,
                "The command docker was not found.",
                hint="Install Docker, or push the image in another way: the push starts the "
                "release.",
            )

    def build(self, folder: Path, name: str) -> None:
        self._run(["build", "--platform", PLATFORM, "--tag", name, str(folder)])

    def tag(self, image: str, name: str) -> None:
        self._run(["tag", image, name])

    def push(self, name: str) -> None:
        self._run(["push", name])

    def log_in(self, login: Login) -> None:
        """The password goes to standard input, where no list of processes shows it."""
        words = ["login", "--username", login.user, "--password-stdin", login.host]
        self._run(words, given=login.password)

    def image(self, name: str) -> LocalImage:
        """Raises CommandError if docker has no such image."""
        found = self._run(["image", "inspect", name], is_read=True)
        try:
            [image] = json.loads(found)
            return LocalImage(id=image["Id"], platform=f"{image['Os']}/{image['Architecture']}")
        except (ValueError, KeyError, TypeError) as error:
            raise CommandError(
                Problem.DOCKER_FAILED, f"docker image inspect {name} printed no image."
            ) from error

    def _run(self, words: Sequence[str], *, given: str | None = None, is_read: bool = False) -> str:
        done = subprocess.run(
            ["docker", *words],
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE if is_read else _STANDARD_ERROR,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandError(
                Problem.DOCKER_FAILED,
                f"docker {words[0]} failed with exit code {done.returncode}.",
                hint="What docker printed above says why. Nothing was released.",
            )
        return done.stdout or ""


def login_of(connection: Connection) -> Login:
    """A login to the account's own registry."""
    answer = connection.client("ecr").get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(answer["authorizationToken"]).decode().partition(":")
    # The local cloud has its registry at its own address.
    address = connection.local_endpoint or answer["proxyEndpoint"]
    return Login(host=urlsplit(address).netloc, user=user, password=password)
