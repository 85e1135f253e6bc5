"""Look at an app spec before it is released: `validate` and `plan`.

Nothing here talks to AWS. What is asked for goes to standard output, everything else to
standard error; the exit code is 1 if the spec has a problem and 2 if the call has one.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lightgate.advice import warnings
from lightgate.compiler import Source, compile_deployment
from lightgate.errors import RefusedError
from lightgate.image import ImageConfig, parse_config
from lightgate.release import PIN_TAG_PREFIX
from lightgate.spec import AppSpec
from lightgate.spec_parser import parse_spec

# Stands where a release will have its own id, of the same length.
_RELEASE = "yyyymmddthhmmssz-xxxxxxxx-xxxx"
_UNKNOWN_COMMAND = "(the image's CMD)"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        spec = parse_spec(_read(options.spec))
        config = _image_config(options.image_config) if options.command == "plan" else None
        for warning in warnings(spec, config):
            print(f"warning: {warning}", file=sys.stderr)
        if options.command == "plan":
            print(json.dumps(_plan(spec, options.image, config), indent=2, ensure_ascii=False))
        else:
            print(f"{options.spec} is valid", file=sys.stderr)
    except RefusedError as error:
        for reason in error.reasons:
            print(f"error: {reason}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lightgate", description="Look at an app spec before it is released."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    validate = commands.add_parser("validate", help="name every problem of a spec at once")
    plan = commands.add_parser(
        "plan",
        help="print the deployment that would be created",
        description=(
            "Print the exact request to Lightsail as JSON. Secrets stay references, and the "
            "release id is a placeholder."
        ),
    )
    for command in (validate, plan):
        command.add_argument("spec", metavar="SPEC", help="the app spec, a JSON file")
    plan.add_argument("--image", metavar="URI", help="how Lightsail would pull the image")
    plan.add_argument(
        "--image-config",
        metavar="FILE",
        help="the output of `docker image inspect`, or the image's configuration blob",
    )
    return parser


def _read(path: str) -> bytes:
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def _plan(spec: AppSpec, image: str | None, config: ImageConfig | None) -> object:
    if config is None:
        unknown = [name for name, c in spec.containers.items() if c.command is None]
        if unknown:
            print(
                f"warning: {', '.join(unknown)}: the command comes from the image; give its "
                "configuration to see it",
                file=sys.stderr,
            )
        config = ImageConfig(command=(_UNKNOWN_COMMAND,), entrypoint=(), architecture="amd64")
    reference = image or (
        f"ACCOUNT.dkr.ecr.REGION.amazonaws.com/{spec.repository}:{PIN_TAG_PREFIX}xxxxxxxxxxxx"
    )
    references = [r for c in spec.containers.values() for r in c.secrets.values()]
    return compile_deployment(
        spec,
        Source(reference=reference, config=config),
        _RELEASE,
        {secret: str(secret) for secret in references},
    )


def _image_config(path: str | None) -> ImageConfig | None:
    """The configuration in either of the two forms in which people have it."""
    if path is None:
        return None
    text = _read(path)
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, list) and document and isinstance(document[0], dict):
        inspected = document[0]
        blob = {
            "architecture": inspected.get("Architecture"),
            "config": inspected.get("Config"),
        }
        return parse_config(json.dumps(blob))
    return parse_config(text)


if __name__ == "__main__":
    sys.exit(main())
