"""Whatever two apps do with two services, each service has one release at a time.

The slow matrix adds more histories.
"""

import random

import pytest

from lightgate.aws.dynamodb import as_values
from tests.component import table
from tests.workflow.queue.test_shared_service import COPY, ELSEWHERE, owners
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, STACK, World, spec

APPS, SERVICES = (APP, COPY), (APP, ELSEWHERE)
STEPS = 25


class Play:
    """A player who stores and deletes specs, and starts, ends and stops releases."""

    def __init__(self, world: World, stepper: Stepper, seed: int) -> None:
        self.world, self.stepper, self.random = world, stepper, random.Random(seed)  # noqa: S311
        self.log: list[str] = []
        world.lightsail.add(ELSEWHERE)
        for app in APPS:
            self.store(app)

    def store(self, app: str) -> None:
        service = self.random.choice(SERVICES)
        self.log.append(f"{app} names {service}")
        # Nothing takes long that has nothing to do with locks.
        self.world.put_spec(spec(serviceName=service, database=None), app=app)

    def act(self, number: int) -> None:
        app = self.random.choice(APPS)
        match self.random.randrange(8):
            case 0:
                self.store(app)
            case 1:
                self.log.append(f"{app} is deleted")
                name = f"/{STACK}/apps/{app}"
                self.world.cloud.client("ssm").delete_parameters(Names=[name])
            case 2:
                self.log.append(f"{app} is broken")
                self.world.put_spec("{", app=app)
            case 3 | 4 | 5:
                self.log.append(f"{app} starts {number}")
                walk = self.stepper.start({"app": app}, f"walk-{number}")
                for _ in range(self.random.randrange(1, 3)):
                    walk.step()
            case 6:
                self.end()
            case 7:
                self.stop()

    def end(self) -> None:
        if going := self.stepper.discover():
            walk = self.random.choice(going)
            self.log.append(f"{walk.name} ends")
            walk.run()

    def stop(self) -> None:
        if going := self.stepper.discover():
            walk = self.random.choice(going)
            self.log.append(f"{walk.name} is stopped")
            walk.stop()
            if self.random.random() < 0.5:
                self.stepper.clean_up(walk)

    def check(self) -> None:
        """The holders of the locks are on different services, and each of its own app."""
        held: dict[str, str] = {}
        for app in APPS:
            holder = self.world.turn_of(app).holder
            if holder is None:
                continue
            key = {"app": {"S": app}, "item": {"S": f"release#{holder.release}"}}
            found = self.world.cloud.client("dynamodb").get_item(TableName=table.NAME, Key=key)
            service = as_values(found["Item"])["admission"]["release"]["service"]
            assert service not in held, self.log
            held[service] = app
        found_owners = owners(self.world)
        assert {service: found_owners[service] for service in held} == held, self.log


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_no_two_releases_are_in_progress_on_one_service(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    play = Play(world, Stepper(world, monkeypatch), seed)

    for number in range(STEPS):
        play.act(number)
        play.check()

    for app in APPS:
        play.store(app)
    play.stepper.run_all()
    world.functions.call("reconcile", {})
    play.stepper.run_all()
    assert [world.turn_of(app).holder for app in APPS] == [None, None], play.log
