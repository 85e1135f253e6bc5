"""`lightgate check` on wagtail, pretix, nautobot and django-oscar, without a server."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

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
    share = f"{100 * passes / sum(counts.values()):.0f} %"
    record("classes", 1, [versions, *cells, share, f"{seconds:.0f}"])
