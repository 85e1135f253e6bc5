"""A person's command beside the app: a migration is reversed while requests go on being answered.

The tests go on with the one app in the order of this file.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from lightgate.names import COMMAND_CONTAINER
from local.demo import crops
from local.demo.traffic import Traffic
from tests.e2e.conftest import started
from tests.e2e.farm import LONG_WATCH, Farm, with_v2
from tests.e2e.pushing import wait_until
from tests.support import local_cloud

# A stack of its own and some releases. What a command is and what it may do is tested on every
# run in tests/workflow and tests/gate.
pytestmark = pytest.mark.slow

SOON, HOLDS = timedelta(seconds=60), timedelta(seconds=2)
ADD_ONE = """
from harvests.models import Harvest
from datetime import date
Harvest.objects.create(crop="once", kilograms=1, harvested_on=date(2026, 5, 1))
"""
ONCE = "SELECT count(*) FROM harvests_harvest WHERE crop = 'once'"
APPLIED = "SELECT name FROM django_migrations WHERE app = 'harvests' ORDER BY name"


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    """v2 serves again: the release that added a column behind it was taken back."""
    with started() as ready:
        farm = with_v2(ready)
        farm.specify(watch=LONG_WATCH)
        second = farm.release("additive-fails-later")
        assert second.status == "ROLLED_BACK", second.message["text"]
        farm.specify()
        yield farm


def applied(farm: Farm) -> list[str]:
    with psycopg.connect(farm.ready.cloud.database.url) as connection:
        return [name for (name,) in connection.execute(APPLIED)]


def command(*words: str, image: str = "additive-fails-later") -> dict[str, object]:
    """The input of an execution that gives the command to the image that knows the migration."""
    digest = crops.image(image).digest
    argv = ["python", "manage.py", *words]
    return {"app": crops.APP, "digest": digest, "command": argv, "reason": "to see, or to mend"}


def test_what_a_command_prints_stands_in_the_message(farm: Farm) -> None:
    before = farm.state

    ended = farm.ask_for(command("showmigrations", "harvests"))

    text = ended.message["text"]
    assert ended.status == "SUCCEEDED", text
    assert ended.message["kind"] == "COMMAND"
    assert "   [X] 0004_fill_season\n   [X] 0005_note\n" in text
    assert ended.message["snapshot"]["availableAt"]
    assert f"Version {before.version + 1} runs the same app as before" in text
    assert (farm.version, farm.state.schema) == (before.version + 1, before.schema)


def test_a_migration_is_reversed_while_the_app_goes_on_serving(farm: Farm) -> None:
    version = farm.version
    assert "note" in farm.columns()

    with Traffic(farm.ready.url) as traffic:
        ended = farm.ask_for(command("migrate", "harvests", "0004"))
        requests = traffic.so_far()

    text = ended.message["text"]
    assert ended.status == "SUCCEEDED", text
    assert "The command on crops-backend succeeded" in text
    assert "note" not in farm.columns()
    assert applied(farm)[-1] == "0004_fill_season"
    assert farm.version == ended.message["version"] == version + 1
    assert requests.releases == ("v2",)
    assert requests.sent > 10
    assert requests.failed == 0, requests.failures


def test_a_command_that_fails_changes_nothing_and_says_so(farm: Farm) -> None:
    before = farm.state

    ended = farm.ask_for(command("migrate", "harvests", "0099"))

    text = ended.message["text"]
    assert (ended.status, ended.execution.error) == ("FAILED", "FAILED"), text
    assert "Cannot find a migration matching '0099'" in ended.message["failure"]["evidence"]
    assert "The command on crops-backend failed" in text
    assert f"Version {before.version + 1} runs the same app as before" in text
    assert farm.state.schema == before.schema
    assert (farm.read().release, farm.write().status) == ("v2", 201)


def test_a_node_that_is_launched_later_does_not_run_the_command_again(farm: Farm) -> None:
    ended = farm.ask_for(command("shell", "-c", ADD_ONE, image="v2"))
    assert ended.status == "SUCCEEDED", ended.message["text"]
    lost_at = datetime.now(UTC)

    local_cloud.lose_node(farm.ready.cloud, crops.APP)
    wait_until(lambda: "plan" in farm.events(COMMAND_CONTAINER, lost_at), SOON)
    wait_until(lambda: farm.read().status == 200, SOON)
    time.sleep(HOLDS.total_seconds())

    assert farm.events(COMMAND_CONTAINER, lost_at).isdisjoint({"permitted", "applying"})
    with psycopg.connect(farm.ready.cloud.database.url) as connection:
        assert connection.execute(ONCE).fetchone() == (1,)
    assert (farm.read().release, farm.write().status) == ("v2", 201)
