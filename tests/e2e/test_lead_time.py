"""How long a release takes until it serves, against one that waits for each step before the next.

The reference timeline: a snapshot takes 180 s, a node 90 s to start, and a migration 20 s. It is
played faster, together with the waits of the state machine. What the programs take beside it (the
functions, the gate, gunicorn) is not, and counts in both forms as if it were that much longer.
"""

import itertools
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.cloud import account, registry
from local.cloud.cloud import LocalCloud
from local.cloud.registry import Image, ImageConfig
from local.cloud.sns_inbox import Inbox
from local.demo import crops
from tests.e2e.by_hand import begin, end
from tests.e2e.conftest import Ready
from tests.e2e.gate_lines import gate_lines
from tests.support import local_cloud

# A stack of its own and four releases in minutes. On every run the same is tested in
# tests/workflow/test_lead_time.py, by the clock of the test.
pytestmark = pytest.mark.slow

SPEED = 1.5
SNAPSHOT, NODE_START, MIGRATION = (timedelta(seconds=each) for each in (180, 90, 20))
# What of a node's start is real: the emulator pulls the image, and the gate begins.
LAUNCH = timedelta(seconds=1)
SHOWN = ("waiting", "plan", "permitted", "applying", "succeeded")
WITHIN = timedelta(minutes=8)
# A `manage.py migrate` that takes so many seconds in all, however busy the machine is.
MIGRATION_TEXT = """
import os
import time
from pathlib import Path

from django.db import migrations


def take_its_time(_apps, _schema_editor):
    began = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    passed = time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")
    time.sleep(max(0, {seconds} - passed))


class Migration(migrations.Migration):
    dependencies = [("harvests", "{before}")]
    operations = [migrations.RunPython(take_its_time, migrations.RunPython.noop)]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A release, what its gate has told, and when its version first answered at the public URL."""

    message: Mapping[str, Any]
    told: Sequence[Mapping[str, Any]]
    served_at: datetime

    @property
    def lead_time(self) -> timedelta:
        return self._since_the_start(self.served_at)

    @property
    def way(self) -> str:
        """What happened when, in seconds of the timeline."""
        at = [(line["event"], line["at"]) for line in self.told if line["event"] in SHOWN]
        if self.message["snapshot"] is not None:
            at.append(("snapshot", self.message["snapshot"]["availableAt"]))
        passed = [(self._since_the_start(datetime.fromisoformat(when)), what) for what, when in at]
        return ", ".join(f"{what} {when.total_seconds():.0f}" for when, what in sorted(passed))

    def _since_the_start(self, moment: datetime) -> timedelta:
        """In seconds of the timeline."""
        return SPEED * (moment - datetime.fromisoformat(self.message["startedAt"]))


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    """v2 serves, no function is new to its machine, and nobody knows how long anything takes."""
    with LocalCloud(
        wait_scale=1 / SPEED, speed=SPEED, snapshot_seconds=SNAPSHOT.total_seconds()
    ) as cloud:
        stack = cloud.deploy()
        local_cloud.set_switches(cloud, crops.APP, speed=60, activation_limit=3600)
        url = crops.furnish(cloud.client, cloud.database)
        inbox = Inbox(cloud.client("sns"), cloud.client("sqs"), stack.topic_arn, "people")
        ready = Ready(cloud=cloud, stack=stack, inbox=inbox, url=url)
        wake(ready)
        first = end(ready, begin(ready, "v2", skipSnapshot=True))
        assert first.status == "SUCCEEDED", first.message["text"]
        forget(ready)
        local_cloud.set_switches(
            cloud,
            crops.APP,
            speed=SPEED,
            log_lag=0,
            time_to_launch=(NODE_START - SPEED * LAUNCH).total_seconds(),
            time_to_pull=0,
            time_to_active=0,
        )
        yield ready


def test_overlap_and_an_empty_plan_make_a_release_shorter(ready: Ready, tmp_path: Path) -> None:
    in_sequence = released(ready, "in-sequence", image(tmp_path, "in-sequence", "0005_one"))
    overlapped = released(
        ready, "overlapped", image(tmp_path, "overlapped", "0005_one", "0006_two")
    )
    specify(ready, backup="when-pending")
    empty = released(ready, "empty", image(tmp_path, "empty", "0005_one", "0006_two"))

    whole, half, least = (each.lead_time for each in (in_sequence, overlapped, empty))
    print(f"\nin sequence {whole.total_seconds():.0f} s ({in_sequence.way})")
    print(f"with overlap {half.total_seconds():.0f} s, {half / whole:.3f} of it ({overlapped.way})")
    print(f"nothing pending {least.total_seconds():.0f} s, {least / whole:.3f} of it ({empty.way})")
    assert in_sequence.message["savedSeconds"] < 1
    assert overlapped.message["savedSeconds"] > 30
    assert empty.message["snapshot"] is None
    assert half / whole <= 0.7
    assert least / whole <= 0.45


def released(ready: Ready, name: str, image: Image) -> Released:
    arn = begin(ready, name, image)
    served_at = first_answer(ready.url, name)
    ended = end(ready, arn, within=WITHIN)
    assert ended.status == "SUCCEEDED", ended.message["text"]
    told = gate_lines(ready, datetime.fromisoformat(ended.message["startedAt"]))
    return Released(message=ended.message, told=told, served_at=served_at)


def first_answer(url: str, release: str) -> datetime:
    """When the release first answered."""
    deadline = time.monotonic() + WITHIN.total_seconds()
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.headers["X-Release"] == release:
                    return datetime.now(UTC)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass  # between two versions; the next answer counts
        time.sleep(0.2)
    raise AssertionError(f"{release} does not serve")


def image(folder: Path, name: str, *migrations: str) -> Image:
    """v2 under another name, with these migrations on top of its own."""
    overlay = folder / name
    (overlay / "harvests/migrations").mkdir(parents=True)
    (overlay / "crops").mkdir()
    (overlay / "crops/release.py").write_text(f'NAME = "{name}"\n')
    seconds = (MIGRATION / SPEED).total_seconds()
    for before, migration in itertools.pairwise(["0004_fill_season", *migrations]):
        path = overlay / "harvests/migrations" / f"{migration}.py"
        path.write_text(MIGRATION_TEXT.format(before=before, seconds=seconds))
    return registry.build([*crops.folders("v2"), overlay], ImageConfig(cmd=("none",)))


def specify(ready: Ready, *, backup: str) -> None:
    spec = crops.spec()
    spec["database"]["backup"] = backup
    account.put_app(ready.cloud.client("ssm"), crops.APP, spec)


def wake(ready: Ready) -> None:
    """Let every function start once, as it has in an account that is in use."""
    functions = ready.cloud.client("lambda")
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            functions.invoke(FunctionName=function["FunctionName"], Payload=b"{}")


def forget(ready: Ready) -> None:
    """Without a history of the app the next release is sequential."""
    ready.cloud.client("dynamodb").delete_item(
        TableName=ready.stack.table_name, Key={"app": {"S": crops.APP}, "item": {"S": "history"}}
    )
