"""A file that appears as a whole, or not at all."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str, *, replaces: bool) -> None:
    """Write the text as UTF-8.

    Raises:
        FileExistsError: there is a file, and `replaces` is false.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        new.chmod(0o644)
        if replaces:
            new.replace(path)
        else:
            # Unlike a rename, a link never takes the place of a file.
            path.hardlink_to(new)
    finally:
        new.unlink(missing_ok=True)
