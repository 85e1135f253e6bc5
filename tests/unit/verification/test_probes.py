"""What a spec asks of the app in its watch period, and which answers are good."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from lightgate.spec.health_rules import HealthRules, health_rules
from lightgate.verification.health import HttpAnswer, problem_of
from tests.support.builders import DIGEST, RELEASE, Json, app_spec, parse, seconds
from tests.support.strategies import valid_specs
from tests.support.watch_period import READ, RULES, good


@pytest.mark.parametrize(
    ("probe", "answer", "problem"),
    [
        ({}, good(), None),
        ({}, good(status=500), "GET /healthz returned 500 (expected 200)"),
        ({}, good(status=301), "GET /healthz returned 301 (expected 200)"),
        ({}, good(status=None, error="no answer in time"), "GET /healthz: no answer in time"),
        ({"success_codes": "200-204,301"}, good(status=301), None),
        ({"expected_header": ("X-Release", "v2")}, good(), None),
        (
            {"expected_header": ("X-Release", "v3")},
            good(),
            "GET /healthz returned X-Release: v2 (expected v3)",
        ),
        (
            {"expected_header": ("X-Other", "v3")},
            good(),
            "GET /healthz returned X-Other: (nothing) (expected v3)",
        ),
        ({"expected_text": "ok"}, good(), None),
        ({"expected_text": "fine"}, good(), "GET /healthz returned a page without the text 'fine'"),
        ({"expected_text": "ok"}, good(body=b"\xff\x00ok"), None),
    ],
)
def test_an_answer_is_good_only_if_all_that_is_expected_is_there(
    probe: dict[str, Any], answer: HttpAnswer, problem: str | None
) -> None:
    assert problem_of(replace(READ, **probe), answer) == problem


def test_what_proves_the_release_is_filled_in_and_dropped_where_it_is_not_known() -> None:
    probe = replace(READ, expected_header=("X-Release", "{release}"), expected_text="is {digest}")

    ours, older = probe.for_release(RELEASE, DIGEST), probe.for_release(None, DIGEST)

    assert ours.expected_header == ("X-Release", RELEASE)
    assert ours.expected_text == f"is {DIGEST}"
    assert older.expected_header is None
    assert older.expected_text == f"is {DIGEST}"


VERIFICATION: Json = {
    "watchSeconds": 300,
    "path": "/status?deep=1",
    "successCodes": "200",
    "expectHeader": {"name": "X-Release", "value": "{release}"},
    "expectText": "all is well",
    "latencySeconds": 2,
    "answersNeeded": 5,
    "failuresInARow": 4,
    "write": {
        "method": "PUT",
        "path": "/probes/1",
        "headers": {"Content-Type": "application/json"},
        "body": '{"from": "Lightgate"}',
        "successCodes": "200,201",
    },
}


def test_the_rules_of_a_spec_are_what_it_says() -> None:
    rules = health_rules(app_spec(verification=VERIFICATION))

    assert rules == HealthRules(
        period=seconds(300),
        read=replace(
            READ,
            path="/status?deep=1",
            latency=seconds(2),
            expected_header=("X-Release", "{release}"),
            expected_text="all is well",
        ),
        write=replace(
            READ,
            method="PUT",
            path="/probes/1",
            success_codes="200,201",
            latency=seconds(2),
            headers={"Content-Type": "application/json"},
            body='{"from": "Lightgate"}',
        ),
        answers_needed=5,
        failures_in_a_row=4,
    )


def test_a_spec_that_says_nothing_is_watched_as_lightsail_checks_it() -> None:
    check = {"path": "/healthz", "successCodes": "204"}
    endpoint = {"containerName": "web", "containerPort": 8000, "healthCheck": check}

    rules = health_rules(app_spec(publicEndpoint=endpoint))

    assert rules == replace(RULES, read=replace(READ, success_codes="204"))


def test_a_write_without_more_than_a_path_is_an_empty_post() -> None:
    rules = health_rules(app_spec(verification={"write": {"path": "/probe"}}))

    assert rules.write == replace(READ, method="POST", path="/probe", success_codes="200-299")


def test_without_a_public_url_no_request_is_sent() -> None:
    rules = health_rules(
        app_spec(publicEndpoint=None, unprotected=True, verification={"watchSeconds": 60})
    )

    assert (rules.read, rules.write, rules.period) == (None, None, seconds(60))


@given(valid_specs())
def test_every_valid_spec_has_rules(document: Json) -> None:
    rules = health_rules(parse(document))

    assert (rules.read is None) == ("publicEndpoint" not in document)
    assert (rules.write is None) == ("write" not in document.get("verification", {}))
    assert seconds(0) <= rules.period <= seconds(3600)
