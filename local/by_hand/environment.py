"""Print the lines for a shell in which `aws` and `lightgate` call the local cloud that runs."""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.cloud.announcement import announcement_file
from local.cloud.credentials import REGION, ROOT

# `aws` and `lightgate` of this checkout, which need no installation.
_PROGRAMS = Path(__file__).parent / "bin"
# They would take the place of the credentials above.
_OF_ANOTHER_ACCOUNT = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")


def main() -> int:
    endpoint = running_endpoint(os.environ)
    if endpoint is None:
        print("error: No local cloud is running. Start one with make local.", file=sys.stderr)
        return 1
    print("\n".join(_lines(endpoint)))
    return 0


def running_endpoint(environment: Mapping[str, str]) -> str | None:
    """Where the local cloud is that was started last; None if none runs."""
    try:
        return str(json.loads(announcement_file(environment).read_bytes())["endpoint"])
    except (OSError, ValueError, KeyError):
        return None


def _lines(endpoint: str) -> Iterator[str]:
    for name, value in {"AWS_ENDPOINT_URL": endpoint, **ROOT, "AWS_REGION": REGION}.items():
        yield f"export {name}={shlex.quote(value)}"
    yield f"export PATH={shlex.quote(str(_PROGRAMS))}:$PATH"
    yield f"unset {' '.join(_OF_ANOTHER_ACCOUNT)}"


if __name__ == "__main__":
    sys.exit(main())
