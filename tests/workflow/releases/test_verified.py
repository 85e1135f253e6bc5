"""The watch period of a version that became active, and of one that Lightsail kept live."""

from datetime import timedelta

from lightgate.names import RELEASE_VARIABLE
from tests.component.lightsail_service import Course
from tests.workflow.reporting_gates import released
from tests.workflow.world import APP, World, migration_failed, spec, succeeded, unprotected

WATCH = {"watchSeconds": 120}


def test_a_version_that_answers_all_through_its_watch_period_is_a_success(world: World) -> None:
    world.put_spec(spec(verification=WATCH))

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert "WaitForAnswers" in ended.states
    asked = world.site.asked[2, "GET", "/"]
    assert 10 <= asked <= 20
    assert world.site.urls == {f"https://{APP}.example.com/"}
    assert world.waited() >= timedelta(seconds=150 + 120)


def test_several_health_checks_share_one_call(world: World) -> None:
    world.put_spec(spec(verification=WATCH))

    assert world.release(course=succeeded()).status == "SUCCEEDED"

    assert world.site.asked[2, "GET", "/"] == 13
    assert world.functions.invoked["verify_release"] == 3


def test_a_call_has_only_as_many_health_checks_as_certainly_fit(world: World) -> None:
    write = {"path": "/harvests/", "body": "{}"}
    world.put_spec(spec(verification={**WATCH, "latencySeconds": 30, "write": write}))

    assert world.release(course=succeeded()).status == "SUCCEEDED"

    # The write must pass once. Until then a check may take 70 s, and then 35 s.
    assert world.site.asked[2, "POST", "/harvests/"] == 1
    assert world.site.asked[2, "GET", "/"] == 1 + 4 * 3
    assert world.functions.invoked["verify_release"] == 1 + 4


def test_a_call_that_is_cut_off_repeats_its_health_checks(world: World) -> None:
    world.put_spec(spec(verification=WATCH))
    world.functions.fail("verify_release", "after")

    assert world.release(course=succeeded()).status == "SUCCEEDED"

    assert world.functions.invoked["verify_release"] == 4
    assert "13 of 13 health checks passed" in world.message().text


def test_an_outage_between_two_health_checks_keeps_those_before_it(world: World) -> None:
    world.put_spec(spec(verification=WATCH))
    asked = world.site.asked
    world.cloud.faults.break_down(
        "lightsail", "InternalFailure", lambda: asked[2, "GET", "/"] == 4 and outage.pop()
    )
    outage = [False, *[True] * 8]

    assert world.release(course=succeeded()).status == "SUCCEEDED"

    assert not outage
    assert "13 of 13 health checks passed" in world.message().text
    assert asked[2, "GET", "/"] == 13


def test_a_version_that_turns_bad_during_a_call_is_rolled_back_by_that_call(good: World) -> None:
    good.put_spec(spec(verification=WATCH))
    good.functions.before("verify_release", lambda: good.clock.watch(turn_bad))

    def turn_bad() -> None:
        if good.site.asked[3, "GET", "/"] >= 2:
            good.site.bad = {3: "out of memory"}

    ended = good.release(course=released())

    assert ended.error == "ROLLED_BACK"
    assert good.site.asked[3, "GET", "/"] == 2 + 3
    assert ended.states.count("VerifyRelease") == 1


def test_what_proves_the_release_is_asked_of_its_answers(world: World) -> None:
    world.put_spec(spec(verification={"watchSeconds": 0, "expectText": "release={release}"}))

    world.release(course=succeeded())

    release = world.message().content["release"]
    assert world.site.expected == {f"release={release}"}
    deployment = world.lightsail.deployment(APP, 2)
    assert deployment.containers["web"].environment[RELEASE_VARIABLE] == release


def test_an_app_that_cannot_be_read_is_not_written_to(world: World) -> None:
    write = {"path": "/harvests/", "body": "{}"}
    world.put_spec(spec(verification={"watchSeconds": 60, "write": write}))
    world.site.bad = {2: "Internal Server Error"}

    assert world.release(course=succeeded()).error == "FAILED"
    assert world.site.asked[2, "POST", "/harvests/"] == 0


def test_a_replaced_version_is_not_called_a_success(
    world: World,
) -> None:
    world.put_spec(spec(verification=WATCH))
    world.functions.before(
        "verify_release", lambda: world.lightsail.deploy_by_somebody(APP) and None
    )

    ended = world.release(course=succeeded())

    assert ended.error == "FAILED"
    assert "RollBack" not in ended.states
    assert world.lightsail.serving(APP) == 3


def second(world: World, *, bad: dict[int, str] | None = None) -> str | None:
    """A second release whose migration fails, so that Lightsail keeps the first one live."""
    world.release(course=succeeded())
    world.messages()
    world.site.bad = bad or {}
    return world.release(course=migration_failed("harvests.0002_season", "no such table")).error


def test_the_old_version_must_be_healthy_before_a_rollback_is_reported(
    world: World,
) -> None:
    before = world.site.asked.total()

    assert second(world) == "ROLLED_BACK"
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE", 3: "FAILED"}
    assert world.site.asked[2, "GET", "/"] > before


def test_an_old_version_that_does_not_answer_any_more_requires_manual_action(world: World) -> None:
    assert second(world, bad={2: "the database has gone"}) == "FAILED"
    text = world.message().content["text"]
    assert "returned 500" in text
    assert "rolled back" not in text


def test_a_foreign_old_version_only_has_to_be_active(world: World) -> None:
    ended = world.release(course=migration_failed("harvests.0002_season", "no such table"))

    assert ended.error == "ROLLED_BACK"
    assert not world.site.asked


def test_without_a_public_url_a_version_is_good_that_stays_active(world: World) -> None:
    world.put_spec({**unprotected(), "verification": {"watchSeconds": 60}})

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert "13 of 13 health checks passed" in world.message().text
    assert not world.site.asked


def test_without_a_public_url_an_app_that_is_started_again_and_again_fails(world: World) -> None:
    world.put_spec({**unprotected(), "verification": {"watchSeconds": 300}})
    restarts = [(200 + 10 * i, "web", {"event": "open"}) for i in range(30)]
    course = Course(ends="ACTIVE", log=[*succeeded().log, *restarts])

    ended = world.release(course=course)

    assert ended.error == "FAILED"
    assert "restarted" in world.message().text


def test_a_check_that_is_cut_off_is_repeated(world: World) -> None:
    world.functions.fail("verify_release", "after", "before", "after")

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"


def test_a_service_that_is_disabled_in_the_watch_period_is_named(world: World) -> None:
    world.put_spec(spec(verification=WATCH))
    world.functions.before("verify_release", lambda: world.lightsail.disable(APP))
    world.site.bad = {2: "Service Unavailable"}

    ended = world.release(course=succeeded())

    assert ended.error == "FAILED"
    content = world.message().content
    assert f"the container service {APP} is disabled" in content["reasons"][0]
    assert content["failure"]["nextAction"].startswith(f"Enable the container service {APP} in ")
