"""The Python files that git knows as new or changed since a commit."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightgate_cli.check.errors import CannotCheckError
from lightgate_cli.check.lines import do_the_same

_SHALLOW = (
    "fetch the history first: `git fetch --unshallow origin`, or `fetch-depth: 0` for "
    "actions/checkout"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """`commit` is the last one that `ref` and HEAD share. The working tree is compared with it.

    `modified` are files whose text is another one, and `renamed` has the old names of new ones.
    """

    ref: str
    commit: str
    new: Sequence[Path]
    modified: Sequence[Path]
    renamed: Mapping[Path, Path]
    top: Path

    def do_otherwise(self, file: Path) -> bool:
        """Whether a modified migration does something else than before."""
        before = _git(self.top, "show", f"{self.commit}:{file.relative_to(self.top)}")
        return not do_the_same(before, file.read_text("utf-8", errors="replace"))


def repository_of(file: Path) -> Path | None:
    """The working tree that has the file; None outside of one, and without git."""
    try:
        return Path(_git(file.resolve().parent, "rev-parse", "--show-toplevel").strip()).resolve()
    except CannotCheckError:
        return None


def changes_since(ref: str, file: Path) -> Changes:
    """Compare the working tree around the file with the last commit that `ref` and HEAD share.

    Raises:
        CannotCheckError: git cannot tell.
    """
    top = Path(_git(file.resolve().parent, "rev-parse", "--show-toplevel").strip()).resolve()
    known = _git_or_nothing(top, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").strip()
    if not known:
        raise CannotCheckError(f"--since {ref}: git knows no such commit; {_SHALLOW}")
    commit = _git_or_nothing(top, "merge-base", known, "HEAD").strip()
    if not commit:
        raise CannotCheckError(f"--since {ref}: it has no commit in common with HEAD; {_SHALLOW}")
    options = ["--name-status", "-z", "--find-renames=90%", "--diff-filter=AMR"]
    words = iter(_git(top, "diff", *options, commit, "--", "*.py").split("\0")[:-1])
    untracked = _git(top, "ls-files", "--others", "--exclude-standard", "-z", "--", "*.py")
    new = [top / name for name in untracked.split("\0")[:-1]]
    modified: list[Path] = []
    renamed: dict[Path, Path] = {}
    for status in words:
        name = next(words)
        if status[0] == "R":
            path = top / next(words)
            renamed[path] = top / name
            new.append(path)
        elif status[0] == "A":
            new.append(top / name)
        else:
            modified.append(top / name)
    return Changes(
        ref=ref, commit=commit, new=sorted(new), modified=modified, renamed=renamed, top=top
    )


def _git_or_nothing(folder: Path, *words: str) -> str:
    try:
        return _git(folder, *words)
    except CannotCheckError:
        return ""


def _git(folder: Path, *words: str) -> str:
    try:
        ran = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
    except FileNotFoundError:
        raise CannotCheckError("git is not installed, and --since needs it") from None
    if ran.returncode:
        why = ran.stderr.decode(errors="replace").strip() or f"exit code {ran.returncode}"
        raise CannotCheckError(f"git {words[0]}: {why}")
    return ran.stdout.decode(errors="surrogateescape")
