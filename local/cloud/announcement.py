"""Where a running local cloud says how to reach it, for `lightgate --local`."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.cloud.credentials import REGION, ROOT


def announcement_file(environment: Mapping[str, str]) -> Path:
    """The same as in cli/lightgate_cli/connection.py: a test compares them."""
    state = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "lightgate" / "local-cloud.json"


@contextmanager
def announced(endpoint: str, stack: str) -> Iterator[Path]:
    """Let the command line find this cloud until the end. The last one to start is found."""
    file = announcement_file(os.environ)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {
            "endpoint": endpoint,
            "region": REGION,
            "stack": stack,
            "accessKeyId": ROOT["AWS_ACCESS_KEY_ID"],
            "secretAccessKey": ROOT["AWS_SECRET_ACCESS_KEY"],
            "process": os.getpid(),
        }
    )
    # Never half a file for one who reads at this moment.
    new = file.with_suffix(f".{os.getpid()}")
    new.write_text(text, "utf-8")
    new.replace(file)
    try:
        yield file
    finally:
        if file.exists() and file.read_text("utf-8") == text:
            file.unlink()
