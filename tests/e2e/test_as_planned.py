"""What changes the database beside the plan of the gate, on the whole stack."""

from collections.abc import Iterator

import psycopg
import pytest

from local.cloud import registry
from local.cloud.registry import ImageConfig
from local.demo import crops
from tests.e2e.conftest import started
from tests.e2e.farm import Farm, with_v2

pytestmark = pytest.mark.slow

MIGRATES = ("sh", "-c", 'python manage.py migrate --noinput; exec "$@"', "--")
# Adds a column without a migration, as a careless script would.
CHANGES = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crops.settings")
import django
django.setup()
from django.db import connection
connection.cursor().execute("alter table harvests_harvest add column extra text")
"""


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    with started() as ready:
        yield with_v2(ready)


def test_a_change_of_the_schema_after_migrate_fails_the_release(farm: Farm) -> None:
    farm.specify(migrate={"then": [["python", "-c", CHANGES]]})
    before = farm.version

    ended = farm.release("v2.1")

    message, text = ended.message, str(ended.message["text"])
    assert ended.status == "FAILED", text
    assert message["failure"]["kind"] == "unplanned-change", text
    assert "changed without a migration on record" in text
    assert message["judgement"]["verdict"] == "ONE_WAY"
    assert farm.version == before
    with psycopg.connect(farm.ready.cloud.database.url) as database:
        database.execute("alter table harvests_harvest drop column extra")


def test_an_entrypoint_that_migrates_is_refused_or_reported(farm: Farm) -> None:
    command = ("gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000")
    config = ImageConfig(cmd=command, entrypoint=MIGRATES)
    image = registry.build(crops.folders("one-way"), config)
    farm.specify()

    refused = farm.release("entrypoint", image)
    farm.specify(migrations={"allowOutsideGate": True})
    allowed = farm.release("entrypoint", image)

    assert refused.status == "REFUSED"
    assert "its ENTRYPOINT (sh -c" in refused.message["text"]
    text = str(allowed.message["text"])
    assert allowed.status == "SUCCEEDED", text
    assert allowed.message["judgement"]["verdict"] == "ONE_WAY", text
    assert "Migrations were applied or reversed outside the gate: harvests." in text
