"""Measure how Lightsail behaves where that is unknown: `python -m local.lightsail.measure`.

Without `--endpoint` it measures at an emulator that it starts. A run on AWS creates real container
services and COSTS MONEY. It needs `LIGHTGATE_AWS=1` and `--aws yes`.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.cloud.clients import client_for
from local.lightsail.measure.measurements import MEASUREMENTS, Answer
from local.lightsail.measure.session import Images, MeasurementError, Session, small_registry

_PUBLIC_IMAGE = "public.ecr.aws/docker/library/python:3.13-slim"
_WARNING = (
    "This creates real Lightsail container services in your account, which COST MONEY while they "
    "exist. They are deleted at the end; make sure that they are."
)


def main(arguments: Sequence[str] | None = None) -> int:
    options, switches = _parser().parse_known_args(arguments)
    if options.names == ["LIST"]:
        for name, measure in MEASUREMENTS.items():
            print(f"{name:18} {measure.__doc__}")
        return 0
    unknown = [name for name in options.names if name not in MEASUREMENTS]
    if unknown:
        print(f"measure: there is no {unknown[0]}; LIST shows what there is", file=sys.stderr)
        return 2
    if options.aws and (options.aws != "yes" or os.environ.get("LIGHTGATE_AWS") != "1"):
        print(f"measure: {_WARNING}\nTo do so: LIGHTGATE_AWS=1 and --aws yes", file=sys.stderr)
        return 2
    failed = 0
    with _session(options, switches) as session:
        for name in options.names:
            print(f"{name}: {MEASUREMENTS[name].__doc__}", flush=True)
            try:
                _show(MEASUREMENTS[name](session))
            except (MeasurementError, ClientError) as problem:
                failed = 1
                print(f"  no answer: {problem}", flush=True)
    return failed


def _show(answer: Answer) -> None:
    for line in answer.seen:
        print(f"  {line}")
    for name, value in answer.switches.items():
        print(f"  --{name.replace('_', '-')} {str(value).lower()}", flush=True)


@contextlib.contextmanager
def _session(options: argparse.Namespace, switches: Sequence[str]) -> Iterator[Session]:
    with contextlib.ExitStack() as stack:
        settings: dict[str, Any] = {"prefix": options.prefix, "database": options.database}
        if options.aws:
            print(_WARNING, file=sys.stderr)
            connect: Any = boto3.client
            api = connect("lightsail", config=Config(retries={"mode": "standard"}))
            images = Images(plain=_PUBLIC_IMAGE)
        else:
            registry, images = stack.enter_context(small_registry())
            endpoint = options.endpoint or stack.enter_context(
                _emulator(registry, options.speed, switches)
            )
            api = client_for("lightsail", endpoint)
            settings["speed"] = options.speed
        chosen = Images(
            plain=options.image or images.plain,
            by_digest=options.digest_image or images.by_digest,
            with_entrypoint=options.entrypoint_image or images.with_entrypoint,
        )
        yield Session(api=api, images=chosen, **settings)


@contextlib.contextmanager
def _emulator(registry: str, speed: float, switches: Sequence[str]) -> Iterator[str]:
    command = [
        *(sys.executable, "-m", "local.lightsail", "--exit-with-parent", "--log-level", "error"),
        *("--registry", registry, "--base-path", str(Path(sys.executable).parent)),
        *("--speed", f"{speed:g}", *switches),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit(process.wait())
            yield json.loads(line)["endpoint"]
        finally:
            process.terminate()


def _database(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.lightsail.measure",
        description=__doc__,
        epilog="Other options are switches of the emulator that is started.",
    )
    add = parser.add_argument
    add("names", nargs="+", metavar="NAME", help="what to measure; LIST shows what there is")
    add("--endpoint", metavar="URL", help="an emulator that runs already; then also --image")
    add("--aws", metavar="yes", help="measure on AWS, with the credentials of the environment")
    add("--prefix", default="measure", help="the services' names begin so (default: %(default)s)")
    add("--speed", type=float, default=300, help="the emulator's speed (default: %(default)g)")
    add("--image", help="an image with python3")
    add("--digest-image", metavar="IMAGE", help="a private ECR image, named by its digest")
    add(
        "--entrypoint-image",
        metavar="IMAGE",
        help='an image whose ENTRYPOINT prints "entrypoint got" and its arguments, and stays',
    )
    add("--database", metavar="HOST:PORT", type=_database, help="a private database")
    return parser


if __name__ == "__main__":
    sys.exit(main())
