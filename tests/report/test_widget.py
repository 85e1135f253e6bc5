"""The function of the dashboard widget, against moto."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest

from lightgate.aws.dynamodb import Table
from lightgate.aws.dynamodb_rehearsals import Rehearsals
from lightgate.aws.dynamodb_services import Services
from lightgate.aws.s3_evidence import EvidenceFiles
from lightgate.codec import encode
from lightgate.records.release_evidence import Evidence
from lightgate.records.release_record import ReadableRecord, RecordKind
from lightgate.runtime import _runtime
from lightgate_report.widget import handler
from tests.cli import releases
from tests.cli.releases import APP, V3, V21
from tests.component import table
from tests.component.cloud import Cloud
from tests.component.running import running_cloud
from tests.report.parsed import parsed
from tests.report.samples import full_record
from tests.support.rights.recorder import Recorder
from tests.support.template import read_template

pytestmark = pytest.mark.usefixtures("cloud")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:lightgate-ShowPageFunction-1"
BUCKET = "evidence"
# The function while it runs. The calls of the test itself are not among its calls.
RUNNING: set[str] = set()
CONTEXT = SimpleNamespace(
    invoked_function_arn=ARN,
    log_group_name="lightgate-FunctionLogs-1",
    function_name="page",
    memory_limit_in_mb=512,
    aws_request_id="1",
)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setenv("LIGHTGATE_TABLE", table.NAME)
    monkeypatch.setenv("LIGHTGATE_EVIDENCE_BUCKET", BUCKET)
    with running_cloud(monkeypatch) as cloud:
        _runtime.cache_clear()
        rights = Recorder(lambda: next(iter(RUNNING), None))
        rows = table.create(cloud)
        store(rows, APP, releases.demo())
        cloud.client("s3").create_bucket(Bucket=BUCKET)
        evidence = Evidence(
            app=APP, release=V3, status="ROLLED_BACK", logs={"web": ["<script>alert(1)</script>"]}
        )
        EvidenceFiles(cloud.client("s3"), BUCKET).write(evidence, expires=False)
        cloud.see = rights.see
        yield cloud
        assert rights.problems == []
    _runtime.cache_clear()


def store(rows: Table, app: str, records: list[ReadableRecord]) -> None:
    """Put the records into the table as Lightgate does."""
    write = [Services(rows).belongs_to(app, f"service-of-{app}", None)]
    for record in records:
        document = encode(replace(record, app=app))
        del document["app"]
        write.append(rows.put(app, f"release#{record.release}", document))
    rows.client.transact_write_items(TransactItems=write)


def answer(**event: Any) -> str:
    RUNNING.add("ShowPageFunction")
    try:
        html = handler(event, CONTEXT)  # type: ignore[arg-type]
    finally:
        RUNNING.clear()
    assert isinstance(html, str)
    return html


def actions(html: str) -> Mapping[str, Any]:
    """What opens by a click, by the text that is clicked."""
    found = {}
    for part in html.split("</cwdb-action>")[:-1]:
        before, _, parameters = part.rpartition(">")
        text = before.rpartition("</a>")[0].rpartition(">")[2]
        found[text] = json.loads(unescape(parameters))
    return found


def test_the_widget_shows_every_app(cloud: Cloud) -> None:
    rows = Table(cloud.client("dynamodb"), table.NAME)
    store(rows, "herd-api", [releases.v1()])

    text = parsed(answer()).text

    assert "crops-backend (production)" in text
    assert "herd-api (production)" in text
    assert "v2.1, version 5" in text
    assert "v3" in text
    assert "The live versions are read from the records of the releases." in text


def test_a_rehearsal_stands_among_the_releases_and_has_a_page(cloud: Cloud) -> None:
    record = replace(
        full_record(), app="crops-backend", kind=RecordKind.REHEARSAL, release="20261201t000000z-x"
    )
    Rehearsals(Table(cloud.client("dynamodb"), table.NAME)).begin(record)

    assert record.tag in parsed(answer(app="crops-backend")).text
    page = parsed(answer(app="crops-backend", release=record.release)).text
    assert "AccessExclusiveLock on locked-table for 79 s" in page


def test_a_parameter_chooses_one_app(cloud: Cloud) -> None:
    rows = Table(cloud.client("dynamodb"), table.NAME)
    store(rows, "herd-api", [releases.v1()])

    text = parsed(answer(app="herd-api")).text
    assert "herd-api (production)" in text
    assert "crops-backend (production)" not in text


def test_a_click_opens_a_release_and_another_one_leads_back() -> None:
    found = actions(answer())
    assert found["v3"] == {"app": APP, "release": V3}

    html = answer(**found["v3"])

    assert "Release v3 of crops-backend failed and v2.1 is still live." in parsed(html).text
    assert "<script>alert(1)</script>" in parsed(html).text
    assert actions(html) == {"All apps": {}}
    assert {each.attributes["endpoint"] for each in parsed(html).named("cwdb-action")} == {ARN}


def test_the_element_before_an_action_is_the_link_that_starts_it() -> None:
    names = [each.name for each in parsed(answer()).elements]

    places = [place for place, name in enumerate(names) if name == "cwdb-action"]
    assert places
    assert {names[place - 1] for place in places} == {"a"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_widget_has_the_theme_of_the_dashboard(theme: str) -> None:
    html = answer(widgetContext={"theme": theme, "width": 588, "height": 369})

    assert parsed(html).elements[0].attributes["class"].split()[-1] == theme


def test_the_widget_documents_itself() -> None:
    text = answer(describe=True)

    assert text.startswith("## Lightgate\n")
    assert "**release**" in text
    assert "<" not in text


@pytest.mark.parametrize(
    "event",
    [
        {"app": APP, "release": "20200101t000000z-none"},
        {"app": "no-such-app"},
        {"app": 7, "release": ["x"]},
        {"app": "<b>", "release": "<i>"},
        {"widgetContext": "dark"},
    ],
)
def test_odd_parameters_get_a_page(event: dict[str, Any]) -> None:
    found = parsed(answer(**event))

    assert found.named("b") == found.named("i") == []
    if event.get("release") == "20200101t000000z-none":
        assert f"There is no release 20200101t000000z-none of {APP} on record." in found.text


def test_evidence_that_is_gone_is_named(cloud: Cloud) -> None:
    cloud.client("s3").delete_object(Bucket=BUCKET, Key=f"{APP}/{V3}.json")

    text = parsed(answer(app=APP, release=V3)).text

    assert f"The evidence {APP}/{V3}.json could not be read: S3 answers NoSuchKey." in text


def test_a_release_that_waited_is_shown_once(cloud: Cloud) -> None:
    rows = Table(cloud.client("dynamodb"), table.NAME)
    store(rows, "herd-api", [replace(releases.v1(), status="QUEUED", begun_as=V21), releases.v2()])

    assert "QUEUED" not in parsed(answer(app="herd-api")).text


@pytest.mark.parametrize("event", [{}, {"app": APP}, {"app": APP, "release": V3}])
def test_the_sanitizer_of_cloudwatch_removes_nothing(event: dict[str, Any]) -> None:
    html = answer(**event)

    assert sanitized(html) == parsed(html).shape
    assert sanitized("<a onclick='x' href='#'><use></use></a>") == [("a", ("href",))]


def sanitized(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements that CloudWatch keeps: no script, no frame, no `<use>`, no handler."""
    removed = {"script", "iframe", "frame", "frameset", "object", "embed", "use", "base", "link"}
    removed |= {"meta", "form", "foreignobject"}
    return [
        (name, tuple(each for each in attributes if not each.startswith(("on", "srcdoc"))))
        for name, attributes in parsed(html).shape
        if name not in removed
    ]


def test_the_dashboard_shows_the_widget_first() -> None:
    body = read_template()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]

    first, *others = json.loads(body)["widgets"]
    assert first["type"] == "custom"
    assert first["properties"]["endpoint"] == "${ShowPageFunction.Arn}"
    assert first["properties"]["updateOn"]["refresh"] is True
    assert {each["y"] for each in others} >= {first["height"]}
    assert min(each["y"] for each in others) == first["y"] + first["height"]


def test_the_function_may_only_read() -> None:
    resources = read_template()["Resources"]
    function = resources["ShowPageFunction"]["Properties"]

    [policy] = function["Policies"]
    actions = [each["Action"] for each in policy["Statement"]]
    assert actions == [["dynamodb:GetItem", "dynamodb:Query"], "s3:GetObject"]
    assert set(function["Environment"]["Variables"]) == {
        "LIGHTGATE_TABLE",
        "LIGHTGATE_EVIDENCE_BUCKET",
    }
    # Without a role of its own, SAM makes one of these policies alone.
    assert "Role" not in function
