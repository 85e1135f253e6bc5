"""A stand-in for the command `docker`, as far as `lightgate push` uses it.

It builds images of one layer, keeps them in the folder STAND_IN, and pushes them to the local
registry. Every call is added to the file `calls` there.
"""

import hashlib
import json
import os
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path

from local.cloud import registry
from local.cloud.registry import Image, ImageConfig

_SERVER = ImageConfig(cmd=("python", "-m", "http.server", "8000"))


def main(words: Sequence[str]) -> int:
    folder = Path(os.environ["STAND_IN"])
    with (folder / "calls").open("a") as calls:
        calls.write(json.dumps(list(words)) + "\n")
    match words:
        case ["build", "--platform", "linux/amd64", "--tag", name, path]:
            if not (Path(path) / "Dockerfile").exists():
                print("failed to read dockerfile: no such file or directory", file=sys.stderr)
                return 1
            _keep(folder, name, registry.build([Path(path)], _SERVER))
        case ["image", "inspect", name]:
            print(json.dumps([_inspected(_kept(folder, name))]))
        case ["tag", image, name]:
            _keep(folder, name, _kept(folder, image))
        case ["login", "--username", "AWS", "--password-stdin", host]:
            (folder / "login").write_text(f"{host} {sys.stdin.read()}")
        case ["push", name]:
            return _push(folder, name)
        case _:
            print(f"docker {words} is unknown here", file=sys.stderr)
            return 125
    return 0


def _push(folder: Path, name: str) -> int:
    host, _, rest = name.partition("/")
    repository, _, tag = rest.rpartition(":")
    login = (folder / "login").read_text() if (folder / "login").exists() else ""
    if not login.startswith(f"{host} ") or len(login) < len(host) + 2:
        print("denied: your authorization token has expired", file=sys.stderr)
        return 1
    print(f"The push refers to repository [{host}/{repository}]")
    registry.push(f"http://{host}", repository, tag, _kept(folder, name))
    return 0


def _place(folder: Path, name: str) -> Path:
    return folder / f"{hashlib.sha256(name.encode()).hexdigest()}.image"


def _keep(folder: Path, name: str, image: Image) -> None:
    _place(folder, name).write_bytes(pickle.dumps(image))


def _kept(folder: Path, name: str) -> Image:
    place = _place(folder, name)
    if not place.exists():
        print(f"Error response from daemon: No such image: {name}", file=sys.stderr)
        raise SystemExit(1)
    found: Image = pickle.loads(place.read_bytes())  # noqa: S301 - of this very program
    return found


def _inspected(image: Image) -> dict[str, str]:
    manifest = json.loads(image.manifest)
    config = json.loads(image.blobs[manifest["config"]["digest"]])
    return {
        "Id": manifest["config"]["digest"],
        "Os": config["os"],
        "Architecture": config["architecture"],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
