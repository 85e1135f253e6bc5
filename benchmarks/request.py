"""How large the deployment request of the example app is: ``python -m benchmarks.request``."""

import argparse
import bz2
import json
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import report
from lightgate.deployment.compiler import compile_deployment, size_of
from lightgate.gate.packaging import CLASSIFIER, program_text
from tests.support.builders import RELEASE, compiled_secrets, parse, source

EXAMPLE = Path(__file__).resolve().parents[1] / "examples/crops/containers-with-migrations.json"
# What the presigned URLs of a gate have on AWS, where the token of a session is long.
MAILBOX = "m" * 1800
TRAVEL = ("supervisor", "waiter", "django_helper", "s3_client")
BEST = lzma.PRESET_EXTREME | 9
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "bzip2": lambda text: bz2.compress(text, 9),
    "xz": lambda text: lzma.compress(
        text, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": BEST}]
    ),
    "zlib": lambda text: zlib.compress(text, 9),
}
HEAD = ["", "bytes", *PACKERS]


def request() -> dict[str, Any]:
    spec = parse(json.loads(EXAMPLE.read_text()))
    mailboxes = dict.fromkeys(spec.asking_gates(), MAILBOX)
    values = compiled_secrets(spec)
    return compile_deployment(
        spec, source(), RELEASE, values, stack="lightgate", mailboxes=mailboxes
    )


def row(name: str, text: str) -> list[str]:
    data = text.encode()
    return [name, f"{len(data):,}", *(f"{len(pack(data)):,}" for pack in PACKERS.values())]


def text() -> str:
    texts = {name: program_text(name) for name in TRAVEL}
    whole = request()
    containers = whole["containers"].values()
    packed = max((word for one in containers for word in one["command"]), key=len)
    environments = sum(size_of(one["environment"]) for one in containers)
    rest = size_of(whole) - len(packed) - environments
    empty = [""] * len(PACKERS)
    rows = [
        *(row(f"`{name}`", one) for name, one in texts.items()),
        row("together", "\0".join(texts.values())),
        row(f"`{CLASSIFIER}`, through the S3 channel", program_text(CLASSIFIER)),
        ["the request", f"{size_of(whole):,}", *empty],
        ["… the programs, packed, in base 92", f"{len(packed):,}", *empty],
        ["… environments with the URLs of the S3 channel", f"{environments:,}", *empty],
        ["… the rest", f"{rest:,}", *empty],
    ]
    return report.table(HEAD, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    print(text())
    if arguments.write:
        report.write("request", text())


if __name__ == "__main__":
    main()
