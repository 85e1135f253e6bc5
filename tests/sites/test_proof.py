"""Old code of wagtail, pretix and nautobot can do after their migrations what the classes say."""

import time
from pathlib import Path

import pytest

from tests.compatibility_fuzz.servers import POSTGRESQL, running_engine
from tests.sites.proof import CLASSES, COUNT, NAMES, prove
from tests.sites.sites import SITES, Site
from tests.sites.table import record

pytestmark = pytest.mark.slow

SEED = 20


@pytest.mark.parametrize(
    "site", [one for one in SITES if one.name in NAMES], ids=lambda site: site.name
)
def test_no_migration_of_a_real_site_breaks_old_code_but_as_its_class_says(
    site: Site, tmp_path: Path
) -> None:
    began = time.monotonic()
    (tmp_path / "site").mkdir()
    with running_engine(POSTGRESQL, tmp_path / "server", 1) as (database,):
        proof = prove(site, SEED, database, tmp_path / "site")
    assert proof.misses == []
    assert len(proof.lines) == COUNT
    assert len(proof.compared) > 0.9 * COUNT
    counts = proof.counts()
    cells = [
        str(SEED),
        str(len(proof.compared)),
        str(proof.with_rows),
        *(str(counts[one]) for one in CLASSES),
    ]
    cells += [str(proof.broke("restricted")), str(proof.broke("breaking"))]
    versions = f"{site.package} {site.version()}, Django {site.django()}"
    seconds = round(time.monotonic() - began)
    record("proof", 1, [versions, *cells, f"{proof.statements}, {seconds} s"])
