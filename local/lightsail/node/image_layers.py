"""Unpacks the layers of an image: tar archives with whiteout files that remove earlier files."""

import contextlib
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

_REMOVED = ".wh."
_NO_FILES = (
    tarfile.LinkOutsideDestinationError,
    tarfile.AbsoluteLinkError,
    tarfile.SpecialFileError,
)
_EMPTIED = ".wh..wh..opq"


class LayerError(Exception):
    """A layer is not a readable tar archive."""


def unpack_layers(layers: Iterable[Path], root: Path) -> None:
    """Extract the layers in order. No file is written outside `root`."""
    root.mkdir(parents=True)
    for layer in layers:
        try:
            with tarfile.open(layer, "r:*") as archive:
                for member in archive:
                    _extract(archive, member, root)
        except (tarfile.TarError, EOFError) as problem:
            raise LayerError(f"{layer.name[:12]}: {problem}") from problem


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    path = PurePosixPath(member.name)
    if path.name == _EMPTIED:
        for each in _inside(root, path.parent).iterdir():
            _remove(each)
    elif path.name.startswith(_REMOVED):
        _remove(_inside(root, path.parent / path.name.removeprefix(_REMOVED)))
    else:
        # Links into the base system, and devices, are not unpacked.
        with contextlib.suppress(*_NO_FILES):
            archive.extract(member, root, filter="data")


def _inside(root: Path, relative: PurePosixPath) -> Path:
    path = root / str(relative).lstrip("/")
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise LayerError(f"{relative} is outside the image")
    return path


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
