"""`lightgate check` on wagtail, pretix, nautobot and django-oscar, without a server."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import lightgate
import lightgate_cli
from tests.sites.sites import SITES, Site
from tests.sites.table import record

pytestmark = pytest.mark.slow

POSTGRES = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "site",
    "HOST": "127.0.0.1",
    "PORT": 1,
}
GOAL = 60  # percent
CLASSES = ("compatible", "restricted", "data", "breaking", "unknown")


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
def test_every_migration_of_a_real_site_has_a_class(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = site.python()
    site.write(tmp_path)
    monkeypatch.setenv("DATABASES", json.dumps({"default": POSTGRES}))
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    paths = [str(Path(one.__path__[0]).parent) for one in (lightgate, lightgate_cli)]
    paths += filter(None, [site.environment.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", ":".join(paths))
    script = (
        tmp_path / "manage.py" if site.manage[0] == "python" else python.parent / site.manage[0]
    )
    began = time.monotonic()

    call = ["check", str(script), "--python", str(python), "--json"]
    ran = subprocess.run(
        [sys.executable, "-m", "lightgate_cli", *call],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert ran.returncode == 1, ran.stderr.decode()
    found = json.loads(ran.stdout)
    seconds = time.monotonic() - began
    counts = Counter(one["class"] for one in found["migrations"])
    assert sum(counts.values()) > 100
    for one in found["migrations"]:
        named = [s for each in one["operations"] for s in each["statements"]]
        assert named or one["class"] != "restricted"
    passes = counts["compatible"] + counts["restricted"]
    versions = f"{site.package} {site.version()}, Django {site.django()}"
    cells = [str(counts[each]) for each in CLASSES]
    share = 100 * passes / sum(counts.values())
    record("classes", 1, [versions, *cells, f"{share:.0f} %", f"{seconds:.0f}"])
    if share < GOAL:
        for kind, (alone, whole, why) in kinds_against(found["migrations"]).items():
            record("kinds", 2, [site.package, kind, str(alone), str(whole), why])


def kinds_against(migrations: list[dict[str, Any]]) -> dict[str, tuple[int, int, str]]:
    """What keeps migrations from being allowed, the kinds that decide a class alone.

    Each has the number of migrations that it decides alone, that of all which have it, and why.
    """
    alone, whole, reasons = Counter[str](), Counter[str](), {}
    for one in migrations:
        against = [each for each in one["operations"] if each["class"] not in CLASSES[:2]]
        kinds = set()
        for each in against:
            detail = f" ({each['detail']})" if each["detail"] else ""
            kinds.add(kind := f"`{each['kind']}`{detail}, {each['class']}")
            reasons.setdefault(kind, each["why"])
        whole.update(kinds)
        alone.update(kinds if len(kinds) == 1 else ())
    return {kind: (n, whole[kind], reasons[kind]) for kind, n in alone.most_common()}
