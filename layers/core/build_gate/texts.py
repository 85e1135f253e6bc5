"""The texts of all gate programs, and the cache of them that a checkout has."""

import hashlib
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAMS = (
    *("supervisor", "waiter", "django_helper", "s3_client", "django_classifier"),
    *("distributor", "loader", "django_rehearsal"),
)

# The supervisor separates the two texts of the Django helper at this character.
_LAUNCHED = {"django_helper": "django_launcher"}
_SEPARATOR = "\f"

_HERE = Path(__file__).resolve().parent
_SOURCES = _HERE.parent / "lightgate" / "gate" / "programs"
_CACHE = _HERE.parents[2] / "build" / "gate"


def write_texts(folder: Path) -> None:
    """Write `<program>.txt` for each program into a new folder."""
    # They import python-minifier, which takes longer than to find the texts in the cache.
    from build_gate.join import join
    from build_gate.minify import minify

    folder.mkdir(parents=True)
    for name in PROGRAMS:
        text = minify(join(_SOURCES, name), name)
        if launcher := _LAUNCHED.get(name):
            text = minify(join(_SOURCES, launcher), launcher) + _SEPARATOR + text
        (folder / f"{name}.txt").write_text(text, "ascii")


@cache
def cached_texts() -> Path:
    """The folder with the texts of today's sources, built if it does not exist yet.

    Processes may call this at once: a folder appears as a whole or not at all.
    """
    folder = _CACHE / _digest()
    if not folder.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=_CACHE, prefix="new-") as new:
            write_texts(Path(new, "texts"))
            try:
                Path(new, "texts").rename(folder)
            except OSError:
                if not folder.exists():  # otherwise another process was faster
                    raise
    return folder


def _digest() -> str:
    """One value for all that the texts depend on."""
    whole = hashlib.sha256(f"{sys.version} {version('python-minifier')}".encode())
    for path in sorted([*_SOURCES.rglob("*.py"), *_HERE.glob("*.py")]):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.relative_to(_HERE.parent)} {content}\n".encode())
    return whole.hexdigest()[:16]
