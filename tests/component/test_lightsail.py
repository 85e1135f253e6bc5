import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from lightgate.aws.clients import make_client
from lightgate.aws.lightsail import Busy, Lightsail
from lightgate.deployment.status import Deployment, Endpoint, Service
from lightgate.diagnosis.app_log import AppLog
from lightgate.errors import NotShownError, RefusedError, UnreachableError
from lightgate.names import RELEASE_VARIABLE, STACK_TAG, STACK_VARIABLE
from tests.component.cloud import Cloud
from tests.component.leaks import KINDS, Border, rendered
from tests.component.lightsail_service import CREATE, GET_LOG, GET_SERVICES, Course

NAME = "crops-backend"
SECRET = "hunter2-of-the-tests"


@pytest.fixture
def lightsail(cloud: Cloud) -> Lightsail:
    cloud.lightsail.add(NAME)
    create_client = make_client("lightsail", attempts=1)
    return Lightsail(make_client("lightsail"), create_client, cloud.clock.now)


def request(release: str = "r1", **changes: object) -> dict[str, Any]:
    web = {
        "image": "registry/crops:1",
        "command": ["gunicorn"],
        "environment": {RELEASE_VARIABLE: release, "SECRET_KEY": SECRET},
        "ports": {"8000": "HTTP"},
    }
    endpoint = {"containerName": "web", "containerPort": 8000}
    usual = {"serviceName": NAME, "containers": {"web": web}, "publicEndpoint": endpoint}
    return {**usual, **changes}


def logged(lines: Mapping[float, str]) -> Course:
    return Course(log=[(at, "web", {"event": event}) for at, event in lines.items()])


def test_a_service_without_deployments_serves_nothing(lightsail: Lightsail) -> None:
    service = lightsail.service(NAME)

    assert service == Service(
        name=NAME,
        state="READY",
        disabled=False,
        current=None,
        next=None,
        deployments=[],
        url="https://crops-backend.example.com/",
        scale=1,
        power="nano",
        puller_role=service.puller_role,
        puller_is_active=True,
        principal_arn=service.principal_arn,
        created_at=service.created_at,
    )


def test_an_answer_without_the_list_of_deployments_is_no_empty_list(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    lightsail.create_deployment(request())
    cloud.faults.change_answers("lightsail.GetContainerServiceDeployments", dict.clear)

    for look in (
        lambda: lightsail.service(NAME),
        lambda: lightsail.listed(NAME, 1),
        lambda: lightsail.mask(NAME),
    ):
        with pytest.raises(UnreachableError):
            look()


@pytest.mark.parametrize("change", ["none", "disabled", "updating"])
def test_a_service_that_never_had_a_deployment_may_show_no_list(
    cloud: Cloud, lightsail: Lightsail, change: str
) -> None:
    cloud.faults.change_answers("lightsail.GetContainerServiceDeployments", dict.clear)
    match change:
        case "disabled":
            cloud.lightsail.disable(NAME)
        case "updating":
            cloud.lightsail.update(NAME, takes=timedelta(minutes=2))

    assert lightsail.service(NAME).deployments == []


def test_the_role_that_pulls_images_is_reported_once_it_is_there(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    cloud.lightsail.let_no_role_pull(NAME)
    before = lightsail.service(NAME)
    cloud.lightsail.let_pull(NAME, role_after=timedelta(minutes=1))
    coming = lightsail.service(NAME)
    cloud.clock.sleep(60)

    role = lightsail.service(NAME).puller_role

    assert (before.puller_role, before.puller_is_active) == (None, False)
    assert (coming.puller_role, coming.puller_is_active) == (None, True)
    assert role is not None
    assert role.startswith("arn:aws:iam::170441448102:role/amazon/lightsail/")


def test_the_tag_of_a_service_names_the_stack_that_it_is_given_to(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    cloud.lightsail.tag(NAME, "team", "crops")
    before = lightsail.service(NAME).tagged_stack
    cloud.lightsail.tag(NAME, STACK_TAG, "lightgate-staging")

    assert before is None
    assert lightsail.service(NAME).tagged_stack == "lightgate-staging"


def test_the_name_of_the_stack_is_no_secret(cloud: Cloud, lightsail: Lightsail) -> None:
    """Lightgate's own lines begin with the usual name of the stack."""
    asked = request()
    asked["containers"]["web"]["environment"][STACK_VARIABLE] = "lightgate"
    lightsail.create_deployment(asked)
    for line in ("the app of lightgate is ready", f"with {SECRET}"):
        cloud.lightsail.logs.restore(NAME, "web", line, cloud.clock.now())
    service = lightsail.service(NAME)
    assert service.next is not None

    log = lightsail.app_logs(NAME, service.next)["web"]

    assert isinstance(log, AppLog)
    assert list(log.lines) == ["the app of lightgate is ready", "with ***"]


def test_images_and_stack_of_a_version_are_reported_wherever_it_is_shown(
    lightsail: Lightsail,
) -> None:
    asked = request()
    asked["containers"]["web"]["environment"][STACK_VARIABLE] = "lightgate-staging"
    created = lightsail.create_deployment(asked)
    service = lightsail.service(NAME)

    assert isinstance(created, Deployment)
    assert (service.newest_release, service.tagged_stack) == (created, None)
    for shown in (created, service.next, *service.deployments):
        assert shown is not None
        assert shown.images == {"web": "registry/crops:1"}
        assert shown.stack == "lightgate-staging"


def test_a_version_is_listed_with_all_that_it_takes_to_deploy_it_again(
    lightsail: Lightsail,
) -> None:
    lightsail.create_deployment(request())

    listed = lightsail.listed(NAME, 1)

    assert listed["version"] == 1
    assert listed["containers"] == request()["containers"]
    assert listed["publicEndpoint"]["containerPort"] == 8000


def test_a_version_that_is_not_listed_is_refused(lightsail: Lightsail) -> None:
    with pytest.raises(RefusedError, match="does not list version 7"):
        lightsail.listed(NAME, 7)


def version_of(service: Service, release: str) -> int | None:
    found = service.deployment_of(release)
    return found.version if found is not None else None


def test_a_deployment_is_followed_by_its_version(cloud: Cloud, lightsail: Lightsail) -> None:
    cloud.lightsail.deploy_by_somebody(NAME)

    created = lightsail.create_deployment(request())
    during = lightsail.service(NAME)
    cloud.clock.sleep(150)
    after = lightsail.service(NAME)

    assert isinstance(created, Deployment)
    assert version_of(during, "r1") == version_of(after, "r1") == created.version == 2
    assert (during.serves(1), during.serves(2)) == (True, False)
    assert (after.serves(1), after.serves(2)) == (False, True)


def test_a_failed_deployment_is_seen_in_the_list_only(cloud: Cloud, lightsail: Lightsail) -> None:
    cloud.lightsail.courses.append(Course(ends="FAILED"))
    created = lightsail.create_deployment(request())
    cloud.clock.sleep(150)

    service = lightsail.service(NAME)

    assert isinstance(created, Deployment)
    assert (service.state, service.current, service.next) == ("READY", None, None)
    assert service.has_failed(created.version, "r1")
    assert version_of(service, "r1") == created.version


def test_a_release_is_recognised_by_its_marker_alone(cloud: Cloud, lightsail: Lightsail) -> None:
    cloud.lightsail.deploy_by_somebody(NAME)
    lightsail.create_deployment(request("r1"))
    cloud.clock.sleep(150)
    lightsail.create_deployment(request("r2"))

    service = lightsail.service(NAME)

    assert [version_of(service, release) for release in ("r1", "r2", "r3")] == [2, 3, None]


def test_a_second_deployment_at_a_time_is_busy_and_takes_no_version(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    lightsail.create_deployment(request("r1"))

    refused = lightsail.create_deployment(request("r2"))

    assert isinstance(refused, Busy)
    assert "deployment 1 is in progress" in refused.reason
    assert cloud.lightsail.deployments(NAME) == {1: "ACTIVATING"}


@pytest.mark.parametrize(
    ("switch", "text", "words"),
    [
        ("busy_error_text", "minutes", "Please try again in a few minutes"),
        ("busy_error_text", "wait", "Please wait for it to complete"),
        ("throttle_text", "account", "maximum API request rate"),
        ("throttle_text", "rate", "Rate exceeded"),
    ],
)
def test_a_service_that_is_updated_or_throttles_is_busy(
    cloud: Cloud, lightsail: Lightsail, switch: str, text: str, words: str
) -> None:
    cloud.lightsail.switches = cloud.lightsail.switches.changed({switch: text})
    if switch == "throttle_text":
        cloud.lightsail.fail(CREATE, "throttled")
    else:
        cloud.lightsail.update(NAME, takes=timedelta(minutes=1))

    refused = lightsail.create_deployment(request())
    cloud.clock.sleep(60)

    assert isinstance(refused, Busy)
    assert words in refused.reason
    assert cloud.lightsail.deployments(NAME) == {}
    assert isinstance(lightsail.create_deployment(request()), Deployment)


@pytest.mark.parametrize("policy", ["missing", "silent"])
def test_a_deployment_that_cannot_be_pulled_fails_with_the_lines_that_lightsail_writes(
    cloud: Cloud, lightsail: Lightsail, policy: str
) -> None:
    cloud.lightsail.switches = cloud.lightsail.switches.changed({"puller_policy": policy})
    begin(cloud, lightsail, Course())
    shown = lightsail.service(NAME).deployment_of("r1")
    cloud.clock.sleep(60)

    assert cloud.lightsail.deployments(NAME) == {1: "FAILED"}
    assert shown is not None
    log = lightsail.app_logs(NAME, shown)["web"]
    assert isinstance(log, AppLog)
    started = ["Started 1 new node"] * 3
    lines = ["Creating your deployment", *started, "Canceled"] if policy == "missing" else []
    assert list(log.system) == lines


@pytest.mark.parametrize(
    ("fault", "error", "versions"),
    [("lost", "ReadTimeoutError", {1: "ACTIVATING"}), ("broken", "ServiceException", {})],
)
def test_a_creation_whose_answer_is_lost_or_an_error_is_not_repeated(
    cloud: Cloud, lightsail: Lightsail, fault: str, error: str, versions: dict[int, str]
) -> None:
    cloud.lightsail.fail(CREATE, fault)

    with pytest.raises(UnreachableError, match=error):
        lightsail.create_deployment(request())

    assert cloud.lightsail.deployments(NAME) == versions
    assert version_of(lightsail.service(NAME), "r1") == max(versions, default=None)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"containers": {}}, "at least one container"),
        ({"publicEndpoint": {"containerName": "api", "containerPort": 1}}, '"api"'),
        ({"serviceName": "elsewhere"}, "elsewhere"),
    ],
)
def test_a_wrong_request_is_refused_in_the_words_of_lightsail(
    lightsail: Lightsail, wrong: dict[str, object], words: str
) -> None:
    with pytest.raises(RefusedError, match=f"Lightsail refuses the deployment: .*{words}"):
        lightsail.create_deployment(request(**wrong))


def test_a_disabled_service_takes_no_deployment(cloud: Cloud, lightsail: Lightsail) -> None:
    cloud.lightsail.disable(NAME)

    assert lightsail.service(NAME).disabled
    with pytest.raises(RefusedError, match="is disabled and cannot be deployed to"):
        lightsail.create_deployment(request())


def test_a_value_that_lightsail_quotes_is_not_repeated(cloud: Cloud, lightsail: Lightsail) -> None:
    cloud.lightsail.fail(CREATE, "quoted")

    with pytest.raises(RefusedError, match="invalid environment variables") as caught:
        lightsail.create_deployment(request())

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ["create_deployment", "service", "mask", "gate_lines", "app_logs"])
def test_no_error_of_lightsail_repeats_what_it_quotes(
    cloud: Cloud, lightsail: Lightsail, monkeypatch: pytest.MonkeyPatch, call: str, kind: str
) -> None:
    since = begin(cloud, lightsail, logged({1: "waiting"}))
    [shown] = lightsail.service(NAME).deployments
    cloud.clock.sleep(300)
    border = Border(monkeypatch)
    border.kind = kind
    border.failing = {
        ("lightsail", operation)
        for operation in (CREATE, GET_SERVICES, GET_LOG, "GetContainerServiceDeployments")
    }
    arguments: dict[str, tuple[Any, ...]] = {
        "create_deployment": (request("r2"),),
        "service": (NAME,),
        "mask": (NAME,),
        "gate_lines": (NAME, "web", since),
        "app_logs": (NAME, shown),
    }

    try:
        told = repr(getattr(lightsail, call)(*arguments[call]))
    except (RefusedError, UnreachableError) as error:
        told = rendered(error)

    assert SECRET not in told


def test_a_request_that_botocore_refuses_is_not_quoted(lightsail: Lightsail) -> None:
    web = request()["containers"]["web"]
    wrong = {"web": {**web, "environment": {"SECRET_KEY": SECRET.encode()}}}

    with pytest.raises(UnreachableError, match="ParamValidationError") as caught:
        lightsail.create_deployment(request(containers=wrong))

    assert SECRET not in rendered(caught.value)


def test_a_missing_service_is_refused_by_its_name(lightsail: Lightsail) -> None:
    with pytest.raises(RefusedError, match="there is no container service elsewhere"):
        lightsail.service("elsewhere")


@pytest.mark.parametrize("fault", ["throttled", "broken", "lost"])
def test_reading_survives_a_trouble_of_the_service(
    cloud: Cloud, lightsail: Lightsail, fault: str
) -> None:
    cloud.lightsail.fail(GET_SERVICES, fault, fault)

    assert lightsail.service(NAME).state == "READY"


@pytest.mark.parametrize(
    "pages",
    [{}, {"log_overlap": 2}, {"log_end": "same-token"}],
    ids=["in a row", "that repeat events", "with a token that leads to itself"],
)
def test_the_lines_of_the_gate_come_once_and_in_order_over_all_pages(
    cloud: Cloud, lightsail: Lightsail, pages: dict[str, object]
) -> None:
    cloud.lightsail.switches = cloud.lightsail.switches.changed({"log_page_size": 2, **pages})
    since = begin(cloud, lightsail, logged({at: f"e{at}" for at in range(1, 8)}))
    cloud.clock.sleep(10)
    calls: list[str] = []
    cloud.faults.watch(calls.append)

    lines = lightsail.gate_lines(NAME, "web", since)

    assert [json.loads(line)["event"] for line in lines] == [f"e{at}" for at in range(1, 8)]
    assert calls.count(f"lightsail.{GET_LOG}") <= 7


def test_lines_that_have_not_arrived_yet_come_later(cloud: Cloud, lightsail: Lightsail) -> None:
    cloud.lightsail.switches = cloud.lightsail.switches.changed({"log_lag": 120})
    since = begin(cloud, lightsail, logged({1: "waiting"}))
    cloud.clock.sleep(60)

    assert lightsail.gate_lines(NAME, "web", since) == []
    cloud.clock.sleep(62)
    assert len(lightsail.gate_lines(NAME, "web", since)) == 1


def test_other_lines_of_the_container_are_left_where_they_are(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    since = begin(cloud, lightsail, logged({1: "waiting"}))
    cloud.lightsail.logs.restore(NAME, "web", "Operations to perform:", cloud.clock.now())
    cloud.clock.sleep(2)

    [line] = lightsail.gate_lines(NAME, "web", since)

    assert '"waiting"' in line


def test_lines_from_before_are_not_read(cloud: Cloud, lightsail: Lightsail) -> None:
    begin(cloud, lightsail, logged({1: "waiting"}))
    cloud.clock.sleep(60)

    assert lightsail.gate_lines(NAME, "web", cloud.clock.now()) == []


@pytest.mark.parametrize("answer", ["empty", "refuse"])
def test_a_container_that_never_wrote_is_silent(
    cloud: Cloud, lightsail: Lightsail, answer: str
) -> None:
    cloud.lightsail.switches = cloud.lightsail.switches.changed({"unknown_container_log": answer})

    assert lightsail.gate_lines(NAME, "migrate", cloud.clock.now()) == []


def test_a_lasting_trouble_of_the_log_passes(cloud: Cloud, lightsail: Lightsail) -> None:
    cloud.lightsail.fail(GET_LOG, *["broken"] * 4)

    with pytest.raises(UnreachableError, match="ServiceException"):
        lightsail.gate_lines(NAME, "web", cloud.clock.now())


def test_a_log_without_end_is_not_read_to_its_end(cloud: Cloud, lightsail: Lightsail) -> None:
    cloud.lightsail.switches = cloud.lightsail.switches.changed({"log_page_size": 1})
    since = begin(cloud, lightsail, logged(dict.fromkeys(range(1, 200), "applying")))
    cloud.clock.sleep(300)

    assert 0 < len(lightsail.gate_lines(NAME, "web", since)) < 199


def test_the_end_of_an_endless_log_is_read_and_no_line_twice(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    cloud.lightsail.switches = cloud.lightsail.switches.changed({"log_page_size": 2})
    log = {at / 2: f"e{at}" for at in range(1, 600)}
    since = begin(cloud, lightsail, logged({**log, 301: "failed"}))
    cloud.clock.sleep(310)

    lines = lightsail.gate_lines(NAME, "web", since)

    said = [json.loads(line)["event"] for line in lines]
    assert (said[0], said[-1]) == ("e1", "failed")
    assert "e599" in said
    assert len(said) == len(set(said)) < 200


def test_lines_that_the_app_writes_twice_are_read_twice(cloud: Cloud, lightsail: Lightsail) -> None:
    assert app_log(cloud, lightsail, "again", "again").lines == ("again", "again")


def app_log(cloud: Cloud, lightsail: Lightsail, *lines: str) -> AppLog:
    """What is read of these lines, which the app has written right after its deployment began."""
    begin(cloud, lightsail, Course())
    for line in lines:
        cloud.lightsail.logs.restore(NAME, "web", line, cloud.clock.now())
    shown = lightsail.service(NAME).deployment_of("r1")
    assert shown is not None
    found = lightsail.app_logs(NAME, shown)["web"]
    assert isinstance(found, AppLog)
    return found


def test_the_log_of_an_app_is_read_as_a_whole_without_values_of_the_environment(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    cloud.lightsail.switches = cloud.lightsail.switches.changed({"log_page_size": 2})
    opened = {"lightgate": 1, "release": "r1", "container": "web", "event": "open"}

    log = app_log(cloud, lightsail, "one", json.dumps(opened), f"the key is {SECRET}!", "four")

    assert list(log.lines) == ["one", "the key is ***!", "four"]
    assert log.starts == 1


def test_gate_lines_are_read_without_values_of_the_environment(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    event = {"event": "failed", "error": f"no {SECRET}", "lastLines": [json.dumps(SECRET)]}
    since = begin(cloud, lightsail, Course(log=[(1, "web", event)]))
    cloud.clock.sleep(10)

    [line] = lightsail.gate_lines(NAME, "web", since)

    assert SECRET not in line
    assert json.loads(line)["error"] == "no ***"


def with_environment(release: str, **environment: str) -> dict[str, Any]:
    web = request(release)["containers"]["web"]
    return request(
        containers={"web": {**web, "environment": {RELEASE_VARIABLE: release, **environment}}}
    )


def test_the_values_of_all_deployments_are_masked_but_what_the_spec_gives_openly(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    for release, key in (("r1", "the first key"), ("r2", "the second key")):
        environment = {"KEY": key, "STAGE": "production"}
        lightsail.create_deployment(with_environment(release, **environment))
        cloud.clock.sleep(200)
    text = "the first key, the second key, production, r1"

    assert lightsail.mask(NAME).text(text) == "***, ***, ***, r1"
    mask = lightsail.mask(NAME, "r2", {"web": ["STAGE"], "other": ["KEY"]})
    assert mask.text(text) == "***, ***, production, r1"


def test_the_secrets_of_a_deployment_that_is_not_shown_are_not_known(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    cloud.lightsail.switches = cloud.lightsail.switches.changed({"read_lag": 60})
    lightsail.create_deployment(request("r1"))

    with pytest.raises(NotShownError, match="does not show the deployment of r1"):
        lightsail.mask(NAME, "r1")
    cloud.clock.sleep(61)
    assert SECRET not in lightsail.mask(NAME, "r1").text(SECRET)


def test_a_line_that_imitates_lightsail_shows_no_secret(cloud: Cloud, lightsail: Lightsail) -> None:
    log = app_log(cloud, lightsail, f"[deployment:1] Started {SECRET}")

    assert log.system[-1] == "Started ***"
    assert not any(SECRET in line for line in log.system)


def test_an_unreadable_log_does_not_hide_the_others(cloud: Cloud, lightsail: Lightsail) -> None:
    web = request()["containers"]["web"]
    lightsail.create_deployment(request(containers={"web": web, "api": {**web, "ports": {}}}))
    [shown] = lightsail.service(NAME).deployments
    cloud.lightsail.fail(GET_LOG, *["broken"] * 4)

    logs = lightsail.app_logs(NAME, shown)

    assert [isinstance(log, AppLog) for log in logs.values()] == [False, True]


def test_the_endpoint_is_reported_with_what_counts_as_healthy(lightsail: Lightsail) -> None:
    lightsail.create_deployment(request())
    [shown] = lightsail.service(NAME).deployments

    assert shown.endpoint == Endpoint(container="web", port=8000, path="/", success_codes="200-499")


def begin(cloud: Cloud, lightsail: Lightsail, course: Course) -> datetime:
    """Create a deployment that writes this log; the moment before it."""
    since = cloud.clock.now()
    cloud.lightsail.courses.append(course)
    assert isinstance(lightsail.create_deployment(request()), Deployment)
    return since


def test_a_service_that_was_created_again_is_another_one(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    since = lightsail.service(NAME).created_at
    assert lightsail.service(NAME, since).created_at == since
    cloud.clock.sleep(1)
    cloud.lightsail.remove(NAME)
    cloud.lightsail.add(NAME)

    with pytest.raises(RefusedError, match=f"{NAME} was deleted and created again"):
        lightsail.service(NAME, since)


LIST = "lightsail.GetContainerServiceDeployments"


@pytest.fixture
def lists(cloud: Cloud) -> Counter[str]:
    """How often the versions of a service were read."""
    found: Counter[str] = Counter()
    cloud.faults.watch(lambda call: found.update([call] if call == LIST else []))
    return found


def test_the_versions_are_not_read_while_the_followed_deployment_is_next_or_current(
    cloud: Cloud, lightsail: Lightsail, lists: Counter[str]
) -> None:
    lightsail.create_deployment(request("r1"))
    service = lightsail.service(NAME, following="r1")
    assert service.next is not None
    assert service.deployment_of("r1") == service.version_of(1) == service.next
    assert not service.has_failed(1, "r1")
    cloud.clock.sleep(200)
    assert lightsail.service(NAME, following="r1").serves_own(1, "r1")
    assert lists.total() == 0

    with pytest.raises(LookupError, match="were not read"):
        len(service.deployments)
    with pytest.raises(LookupError, match="were not read"):
        service.version_of(7)


def test_the_versions_are_read_when_the_followed_deployment_is_neither_next_nor_current(
    cloud: Cloud, lightsail: Lightsail, lists: Counter[str]
) -> None:
    cloud.lightsail.courses.append(Course(ends="FAILED"))
    lightsail.create_deployment(request("r1"))
    cloud.clock.sleep(200)
    assert lightsail.service(NAME, following="r1").has_failed(1, "r1")

    for release in ("r2", "r3"):
        lightsail.create_deployment(request(release))
        cloud.clock.sleep(200)
    service = lightsail.service(NAME, following="r2")
    assert service.has_replaced(2, "r2")
    assert {one.version for one in service.deployments} == {1, 2, 3}
    assert lists.total() == 2


def test_the_secrets_are_read_once_while_a_deployment_starts(
    cloud: Cloud, lightsail: Lightsail, lists: Counter[str]
) -> None:
    lightsail.create_deployment(request("r1"))
    cloud.clock.sleep(200)
    lightsail.create_deployment(with_environment("r2", KEY="the second key"))
    text = f"{SECRET}, the second key"
    for _ in range(3):
        seen = lightsail.service(NAME, following="r2")
        assert lightsail.mask(NAME, "r2", seen=seen).text(text) == "***, ***"
        cloud.clock.sleep(10)
    assert lists.total() == 1

    cloud.clock.sleep(200)
    lightsail.create_deployment(with_environment("r3", KEY="the third key"))
    for release in ("r2", "r3"):
        seen = lightsail.service(NAME, following=release)
        mask = lightsail.mask(NAME, release, seen=seen)
        assert mask.text("the third key, the second key") == "***, ***"


def test_the_secrets_of_another_service_of_the_same_name_are_read_again(
    cloud: Cloud, lightsail: Lightsail
) -> None:
    for key in ("the first key", "the second key"):
        cloud.lightsail.add(NAME)
        lightsail.create_deployment(with_environment("r1", KEY=key))
        seen = lightsail.service(NAME, following="r1")
        assert lightsail.mask(NAME, "r1", seen=seen).text(key) == "***"
        cloud.clock.sleep(1)
