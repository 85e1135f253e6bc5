"""Look at an app spec before it is released: `validate` and `plan`.

Nothing here talks to AWS. What is asked for goes to standard output, everything else to
standard error. The exit code is 1 if the spec or the image would be refused, and 2 if the
call is wrong or a file cannot be read.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lightgate.advice import warnings
from lightgate.app_spec.spec import AppSpec
from lightgate.compiler import Source, compile_deployment
from lightgate.errors import RefusedError
from lightgate.image import ImageConfig, parse_config
from lightgate.pinning import other_images
from lightgate.release import PIN_TAG_PREFIX
from lightgate.spec_parser.parser import parse_spec

_REFUSED = 1
_WRONG_CALL = 2
# Stands where a release will have its own id, of the same length.
_RELEASE = "yyyymmddthhmmssz-xxxxxxxx-xxxx"
_STACK = "STACK"
_UNKNOWN_COMMAND = "(the image's CMD)"

_EXAMPLES = """\
examples:
  python -m lightgate validate containers-with-migrations.json
  python -m lightgate plan containers-with-migrations.json
  docker image inspect crops-backend > image.json
  python -m lightgate plan containers-with-migrations.json --image-config image.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.spec == options.image_config == "-":
        parser.error("only one of SPEC and --image-config can be standard input")
    try:
        return _carry_out(options)
    except RefusedError as error:
        for reason in error.reasons:
            _tell("error", reason)
        return _REFUSED
    except BrokenPipeError:
        # Whoever reads us has seen enough. Python would try once more to write, at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        _tell("error", f"{error.filename or 'standard input'}: {error.strerror}")
        return _WRONG_CALL


def _carry_out(options: argparse.Namespace) -> int:
    spec = parse_spec(_read(options.spec))
    config = _image_config(options.image_config) if options.image_config else None
    for warning in warnings(spec, config):
        _tell("warning", warning)
    for note in other_images(spec):
        _tell("note", note)
    if options.command == "validate":
        _tell("ok", f"{_name(options.spec)} is valid")
        return 0
    plan = json.dumps(_plan(spec, options.image, config), indent=2, ensure_ascii=False)
    # JSON is UTF-8, whatever the terminal's own encoding is.
    sys.stdout.buffer.write(plan.encode() + b"\n")
    sys.stdout.buffer.flush()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lightgate",
        description="Look at an app spec before it is released. Nothing here talks to AWS.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(image_config=None)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    validate = commands.add_parser(
        "validate",
        help="name every problem of a spec at once",
        description=(
            "Name every problem of a spec at once, each with its place, and what works but "
            "perhaps not as meant. The exit code is 0 for a valid spec, 1 for a wrong one, and 2 "
            "if it cannot be read."
        ),
    )
    plan = commands.add_parser(
        "plan",
        help="print the deployment that would be created",
        description=(
            "Print the exact request to Lightsail as JSON. Secrets stay references, and the "
            "release id and the stack are placeholders. Warnings go to standard error."
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for command in (validate, plan):
        command.add_argument(
            "spec", metavar="SPEC", help="the app spec, a JSON file; - is standard input"
        )
    plan.add_argument(
        "--image",
        metavar="URI",
        help="how Lightsail would pull the image (default: a placeholder)",
    )
    plan.add_argument(
        "--image-config",
        metavar="FILE",
        help=(
            "the image's own CMD and ENTRYPOINT: the output of `docker image inspect IMAGE`, or "
            "the image's configuration blob; needed where a container gives no command"
        ),
    )
    return parser


def _read(path: str) -> bytes:
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def _name(path: str) -> str:
    return "standard input" if path == "-" else path


def _tell(kind: str, text: str) -> None:
    print(f"{kind}: {text}", file=sys.stderr)


def _plan(spec: AppSpec, image: str | None, config: ImageConfig | None) -> object:
    if config is None:
        for name, container in spec.containers.items():
            # A container outside the gates is given no command, so nothing of it is unknown.
            is_wrapped = bool(container.depends_on or spec.conditions_on(name))
            if is_wrapped and spec.uses_image_command(name):
                _tell(
                    "warning",
                    f"containers.{name}.command: is missing, so the image's CMD is run; give "
                    "--image-config to see it here",
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
        stack=_STACK,
    )


def _image_config(path: str) -> ImageConfig:
    """The configuration in either of the two forms in which people have it."""
    text = _read(path)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, list) and document and isinstance(document[0], dict):
        inspected = document[0]
        text = json.dumps(
            {"architecture": inspected.get("Architecture"), "config": inspected.get("Config")}
        ).encode()
    try:
        return parse_config(text)
    except RefusedError as error:
        raise RefusedError(*(f"{_name(path)}: {reason}" for reason in error.reasons)) from None


if __name__ == "__main__":
    sys.exit(main())
