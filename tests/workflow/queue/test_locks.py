"""Two pushes at once, in every order of their steps."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from lightgate.release.lock import Lock
from tests.component import images
from tests.component.lightsail_service import Course
from tests.workflow import pushes
from tests.workflow.stepper import Stepper, Walk
from tests.workflow.world import APP, World, migration_failed, spec, succeeded

QUICK = Course(ends="ACTIVE", after=timedelta(), log=succeeded(at=0).log)


type Choose = Callable[[int], int]


def every_order(play: Callable[[Choose], None]) -> int:
    """Play it once for every sequence of choices that it can make; how often that was."""
    plan: list[int] = []
    for played in range(1, 2000):
        made: list[tuple[int, int]] = []
        play(partial(_choose, plan, made))
        while made and made[-1][0] + 1 == made[-1][1]:
            made.pop()
        if not made:
            return played
        plan = [choice for choice, _ in made[:-1]] + [made[-1][0] + 1]
    raise AssertionError("more orders than expected")


def _choose(plan: Sequence[int], made: list[tuple[int, int]], options: int) -> int:
    """As planned, and beyond the plan whatever comes first."""
    choice = plan[len(made)] if len(made) < len(plan) else 0
    made.append((choice, options))
    return choice


class Play:
    """An app of its own, with two pushes, in a world that many apps share."""

    def __init__(self, world: World, stepper: Stepper, number: int, *courses: Course) -> None:
        self.world, self.stepper = world, stepper
        self.app = f"app-{number}"
        world.empty_table()
        world.messages()
        database = {"instance": "crops-db"}
        changed = spec(serviceName=self.app, tags=["*"], database=database)
        world.put_spec(changed, app=self.app)
        world.lightsail.add(self.app)
        world.lightsail.courses.clear()
        world.lightsail.courses.extend(courses)
        stepper.all.clear()
        stepper.kept().clear()

    def push(self, name: str, *, after: int) -> Walk:
        request = pushes.request(self.digest(name), name, after=after, app=self.app)
        return self.stepper.start(request, f"{self.app}-{name}-{after}")

    def digest(self, name: str) -> str:
        tagged = {tag: image for image in self.world.images() for tag in image.tags}
        return tagged[name].digest

    def go(self, choose: Choose) -> None:
        while going := self.stepper.discover():
            walk = going[choose(len(going))]
            walk.step()
            while walk.state == "VerifyRelease":
                # It only calls the app, so its order among the others does not matter.
                walk.step()
            if walk.passed[-1] == "PruneSnapshots" or "StartNext" in walk.tasks:
                # The rest touches nothing that another execution reads.
                walk.run()

    @property
    def lock(self) -> Lock:
        return self.world.turn_of(self.app)

    def images(self) -> list[str]:
        """The images that were deployed, in this order, as their pins name them."""
        deployments = self.world.lightsail.services[self.app].service.deployments
        return [deployment.containers["web"].image.rpartition("-")[2] for deployment in deployments]


@pytest.fixture
def play(world: World, stepper: Stepper) -> Callable[..., Play]:
    """Begin a play with an app of its own; v1 and v2 are in the registry."""
    for name in ("v1", "v2"):
        images.push(world.cloud, APP, name, name=name)
    numbers = itertools.count()
    return lambda *courses: Play(world, stepper, next(numbers), *courses)


def begin_two(play: Play, first: str, second: str) -> None:
    """Two pushes, of which the second is the newer one."""
    play.push(first, after=0)
    play.push(second, after=1)


def check_two(play: Play, newest: str) -> None:
    """What holds in whatever order the two were carried out."""
    digests = play.images()
    assert digests[-1] == play.digest(newest).removeprefix("sha256:")[:12]
    assert len(digests) == len(set(digests))
    lock = play.lock
    assert (lock.holder, lock.waiting) == (None, None)
    assert lock.fence == len([walk for walk in play.stepper.all if "TakeSnapshot" in walk.tasks])
    told = [message.content["messageId"] for message in play.world.messages()]
    assert len(told) == len(set(told)) == len(digests)
    assert "WaitForService" not in {state for walk in play.stepper.all for state in walk.passed}


FAILING = replace(migration_failed("a.0002", "boom"), after=timedelta())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("course", "second", "orders"),
    [(QUICK, "v2", 50), (FAILING, "v2", 50), (QUICK, "v1", 10)],
    ids=["two images", "the first release fails", "one image is one release"],
)
def test_two_pushes_end_on_the_newer_one_in_every_order(
    play: Callable[..., Play], course: Course, second: str, orders: int
) -> None:
    def two(choose: Choose) -> None:
        playing = play(course, QUICK)
        begin_two(playing, "v1", second)
        playing.go(choose)
        check_two(playing, second)
        assert second != "v1" or len(playing.images()) == 1

    assert every_order(two) > orders


@pytest.mark.slow
def test_two_releases_by_hand_come_one_after_the_other_in_every_order(
    play: Callable[..., Play],
) -> None:
    def two(choose: Choose) -> None:
        playing = play(QUICK, QUICK)
        # Both start in the same second, so that every play has the same orders.
        playing.world.clock.sleep(1 - playing.world.clock.now().microsecond / 1e6)
        for tag in ("v1", "v2"):
            playing.stepper.start({"app": playing.app, "tag": tag}, f"{playing.app}-{tag}")
        playing.go(choose)
        lock = playing.lock
        assert lock.latest is not None
        assert playing.images()[-1] == lock.latest.digest.removeprefix("sha256:")[:12]
        assert (lock.holder, lock.waiting) == (None, None)

    assert every_order(two) > 50
