"""What a version of Lightgate writes: the table and the state in the middle of a release.

`RECORD_VERSION=1 make test ONLY=workflow/previous_version` writes it anew, with the present code:
do so after a release of Lightgate, so that the next one is tested against it.
"""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.component import table
from tests.workflow.pushes import push
from tests.workflow.reporting_gates import released, told_plan
from tests.workflow.stepper import Stepper, Walk
from tests.workflow.world import World, spec

type Json = dict[str, Any]

RECORDED = Path(__file__).with_name("recorded.json")
# Before each of these, the state and the table are recorded.
STEPS = ("CheckDeployment", "VerifyRelease", "RecordOutcome", "StartNext")
_RELEASE = re.compile(r"\d{8}t\d{6}z-([0-9a-f]{8})-[0-9a-f]{4}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_SINCE = re.compile(r'"serviceSince\\*": \\*"([^"\\]+)')


def begin(stepper: Stepper) -> Walk:
    """One release has succeeded, one is in progress, and one waits. Returns the second one."""
    world = stepper.world
    world.put_spec(spec(database={"instance": "crops-db", "keepSnapshots": 1}))
    adding = told_plan("crops.0002_size")
    world.lightsail.courses.extend([released(), released(adding), released()])
    stepper.start(push(world, "v1.0", after=0), "first").run()
    stepper.run_all()
    walk = stepper.start(push(world, "v1.1", after=5), "one").run_to(STEPS[0])
    stepper.start(push(world, "v1.2", after=10), "two").run()
    return walk


def record(stepper: Stepper) -> None:
    walk, found = begin(stepper), {}
    for step in STEPS:
        walk.run_to(step)
        found[step] = {"items": stepper.world.items(), "input": walk.task_input()}
    RECORDED.write_text(json.dumps(found, separators=(",", ":")) + "\n")


def recorded(step: str, world: World, walk: Walk) -> Json:
    """What was recorded before this step, with the times and the ids of releases of this run."""
    text = json.dumps(json.loads(RECORDED.read_text())[step])
    here = json.dumps([world.items(), walk.task_input()])
    ids = {found[1]: found[0] for found in _RELEASE.finditer(here)}
    text = _RELEASE.sub(lambda found: ids[found[1]], text)
    # Both worlds begin with the service. Only the times of pushes are fixed, and before that.
    [since], [then] = [
        {datetime.fromisoformat(time) for time in _SINCE.findall(each)} for each in (here, text)
    ]

    def moved(found: re.Match[str]) -> str:
        time = datetime.fromisoformat(found[0])
        return found[0] if time < then else (time + (since - then)).isoformat()

    moved_all: Json = json.loads(_TIME.sub(moved, text))
    return moved_all


def put_items(world: World, items: list[Json]) -> None:
    """From now on the table holds these items alone."""
    client = world.cloud.client("dynamodb")
    for item in world.items():
        client.delete_item(TableName=table.NAME, Key={key: item[key] for key in ("app", "item")})
    for item in items:
        client.put_item(TableName=table.NAME, Item=item)
