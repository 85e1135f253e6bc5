"""Compare the classes of migrations of real sites with what old code can do after them.

`python -m tests.sites.proof --site pretix --seed 7`
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compatibility_fuzz.servers import POSTGRESQL, running_engine
from tests.sites.sites import SITES, Site

ROOT = Path(__file__).parents[2]
NAMES = ("wagtail", "pretix", "nautobot")
COUNT = 50
SETUPS = {"nautobot": ("nautobot", "setup")}
"""What loads a site; else it is Django's own `setup`."""
CLASSES = ("compatible", "restricted", "data", "breaking", "unknown")


@dataclass
class Proof:
    """What was found for the migrations of a site."""

    site: str
    seed: int
    migrations: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def compared(self) -> list[dict[str, Any]]:
        return [one for one in self.lines if not one["problem"]]

    @property
    def misses(self) -> list[str]:
        return [
            f"{one['migration']} is called {one['class']}: {' | '.join(map(str, symptom))}"
            for one in self.compared
            for symptom in one["missed"]
        ]

    def counts(self) -> dict[str, int]:
        classes = Counter(one["class"] for one in self.compared)
        return {one: classes[one] for one in CLASSES}

    def broke(self, label: str) -> int:
        """In so many migrations of this class something failed."""
        return sum(one["class"] == label and bool(one["broken"]) for one in self.compared)

    @property
    def with_rows(self) -> int:
        """In so many of those that were compared, each model that is named had rows."""
        return sum(one["with rows"] == one["models"] for one in self.compared)

    @property
    def statements(self) -> int:
        return sum(one["statements"] for one in self.compared)

    def text(self) -> Iterator[str]:
        counts = ", ".join(f"{name} {count}" for name, count in self.counts().items())
        yield (
            f"{self.site}, seed {self.seed}: {len(self.lines)} of {self.migrations} migrations"
            f" chosen, {len(self.compared)} compared, with {self.statements} statements of old code"
        )
        yield f"  {counts}"
        yield f"  misses: {len(self.misses)}"
        yield from (f"    {one}" for one in self.misses)
        for one in self.lines:
            if one["problem"]:
                about = f"{one['migration']} ({one['class']})"
                yield f"  not compared: {about}: it cannot be applied to the rows: {one['problem']}"
        for one in self.compared:
            if one["with rows"] < one["models"]:
                yield (
                    f"  {one['migration']} ({one['class']}): rows in {one['with rows']}"
                    f" of {one['models']} models"
                )
        quiet = [one for one in self.compared if one["class"] == "breaking" and not one["broken"]]
        for one in quiet:
            yield f"  called breaking, and broke nothing: {one['migration']}"


def prove(
    site: Site, seed: int, database: dict[str, Any], directory: Path, count: int = COUNT,
    show: Callable[[str], None] = lambda _: None,
) -> Proof:  # fmt: skip
    """Migrate the site, and compare so many of its migrations on the way."""
    python = site.python()
    site.write(directory)
    task = {
        "seed": seed,
        "count": count,
        "setup": SETUPS.get(site.name, ("django", "setup")),
    }
    environment = {
        "DJANGO_SETTINGS_MODULE": "settings",
        **site.environment,
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "PYTHONPATH": f"{directory}:{ROOT / 'layers/core'}:{ROOT}",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATABASES": json.dumps({"default": database}),
    }
    command = [str(python), "-m", "tests.sites.proof_worker", json.dumps(task)]
    proof = Proof(site.name, seed)
    errors = directory / "errors"
    with errors.open("wb") as stderr, subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for text in process.stdout:
            if not text.startswith("{"):
                continue  # the site's own output
            line = json.loads(text)
            if "migrations" in line:
                proof.migrations = line["migrations"]
                continue
            proof.lines.append(line)
            show(text)
    if process.returncode:
        raise RuntimeError(f"{site.name} did not migrate: {errors.read_text()[-3000:]}")
    return proof


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sites.proof", description=__doc__)
    seed = random.SystemRandom().randrange(10**6)
    parser.add_argument("--seed", type=int, default=seed, help="default: a new one")
    parser.add_argument("--count", type=int, default=COUNT, help="how many migrations of a site")
    parser.add_argument("--site", choices=NAMES, action="append", help="default: all")
    parser.add_argument("--json", type=Path, help="write a line for each migration to this file")
    options = parser.parse_args()
    lines: list[str] = []
    misses = 0
    for site in (one for one in SITES if one.name in (options.site or NAMES)):
        with tempfile.TemporaryDirectory(prefix="proof-", ignore_cleanup_errors=True) as made:
            directory = Path(made)
            directory.chmod(0o755)
            with running_engine(POSTGRESQL, directory / "server", 1) as (database,):
                (directory / "site").mkdir()
                proof = prove(
                    site, options.seed, database, directory / "site", options.count, lines.append
                )
        if options.json:
            options.json.write_text("".join(lines))
        print(*proof.text(), sep="\n", flush=True)
        misses += len(proof.misses)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
