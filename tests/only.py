"""Where the tests of one package are, for `make test ONLY=<a folder, or a part of a path>`."""

import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]


def found(only: str, files: Sequence[PurePosixPath]) -> list[str]:
    """The folders of this name or, if there is none, the files that have it in their path."""
    wanted = only.strip("/").removeprefix("tests/")
    folders = {folder for file in files for folder in file.parents}
    named = {folder for folder in folders if f"/{folder}".endswith(f"/{wanted}")}
    outermost = {folder for folder in named if not named.intersection(folder.parents)}
    return sorted(map(str, outermost or {file for file in files if wanted in str(file)}))


def main(arguments: Sequence[str]) -> int:
    files = [PurePosixPath(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")]
    places = found(*arguments, files) if arguments else ["tests"]
    if not places:
        folders = sorted({str(file.parent.relative_to("tests")) for file in files})
        print(
            f"No folder of tests and no path has {arguments[0]!r} in it. The folders are: "
            f"{', '.join(folders)}",
            file=sys.stderr,
        )
        return 2
    print(*places)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
