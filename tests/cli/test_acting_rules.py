"""The rules of the commands that start something: what they choose, and what they refuse."""

from dataclasses import replace
from typing import Any

import pytest

from lightgate_cli.acting.following import Verdict
from lightgate_cli.acting.promoting import copy_commands
from lightgate_cli.acting.pushing import watched_tag
from lightgate_cli.acting.rollback_target import target_of
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.app_facts import AppFacts
from lightgate_cli.reading.app_status import app_status
from tests.cli import releases
from tests.cli.releases import APP
from tests.cli.test_schema import assert_valid
from tests.cli.test_status import facts
from tests.support.builders import app_spec

SPEC = app_spec(repository=APP, tags=["v*"])


def target(to: str | None, found: AppFacts | None = None, *, is_forced: bool = False) -> int:
    known = found or facts()
    return target_of(to, known, app_status(known), is_forced=is_forced)


def problem(call: Any, *arguments: object) -> CommandError:
    with pytest.raises(CommandError) as caught:
        call(*arguments)
    return caught.value


@pytest.mark.parametrize(("to", "version"), [("v2", 2), ("3", 3), ("1", 1), ("v1", 1)])
def test_a_rollback_goes_to_a_tag_or_to_a_version(to: str, version: int) -> None:
    assert target(to) == version


def test_without_a_target_a_rollback_goes_to_the_last_good_version_before() -> None:
    status = app_status(facts())
    assert status.rollback is not None

    assert target(None, is_forced=True) == status.rollback.version


def test_an_unsafe_rollback_is_refused_with_the_command_that_forces_it() -> None:
    known = facts()
    status = app_status(known)
    assert status.rollback is not None
    unsafe = replace(status, rollback=replace(status.rollback, is_safe=False, reasons=["It is."]))

    with pytest.raises(CommandError) as caught:
        target_of(None, known, unsafe, is_forced=False)

    assert (caught.value.problem, caught.value.problem.exit_code) == (Problem.UNSAFE, 1)
    assert str(caught.value).endswith(" may not work with the current database. It is.")
    assert caught.value.hint == (
        f"To roll back anyway: lightgate rollback {APP} --to {status.rollback.version} "
        "--allow-destructive"
    )
    assert target_of(None, known, unsafe, is_forced=True) == status.rollback.version


@pytest.mark.parametrize("to", ["v99", "99", "", "-1", "٣"])
def test_a_target_that_is_no_version_is_an_error(to: str) -> None:
    found = problem(target, to)

    assert found.problem is Problem.NOT_FOUND
    assert found.hint.endswith(f"lightgate release {APP} --tag {to}")


def test_a_number_that_is_a_tag_of_another_version_is_ambiguous() -> None:
    versions = releases.versions()
    odd = {**versions, 2: replace(versions[2], tag="3")}

    assert problem(target, "3", facts(versions=odd)).problem is Problem.AMBIGUOUS


def test_the_live_tag_is_no_target() -> None:
    found = problem(target, "v2.1")

    assert str(found) == f"v2.1 of {APP} is live already."


def test_without_the_service_no_target_is_known() -> None:
    unread = facts(service=None, unread=["The container service could not be read: denied."])

    assert "denied" in str(problem(target, "v2", unread))


def test_a_push_needs_a_tag_that_the_spec_watches() -> None:
    assert watched_tag(APP, "v3", SPEC) == "v3"
    assert watched_tag(APP, None, app_spec(repository=APP, tags=["v*", "latest"])) == "latest"
    assert problem(watched_tag, APP, "nightly", SPEC).problem is Problem.IGNORED
    assert problem(watched_tag, APP, None, SPEC).problem is Problem.USAGE
    assert problem(watched_tag, APP, "a b", SPEC).problem is Problem.USAGE


@pytest.mark.parametrize(
    ("tag", "last"),
    [
        ("v3", "lightgate explain other v3"),
        ("build-3", "lightgate release other --tag build-3 --follow"),
        (None, "lightgate release other --tag copy-abababababab --follow"),
    ],
)
def test_the_commands_that_copy_an_image_end_with_its_release(tag: str | None, last: str) -> None:
    digest = f"sha256:{'ab' * 32}"

    commands = copy_commands("host", "eu-central-1", "from", digest, tag, "other", SPEC)

    assert commands[1] == f"docker pull host/from@{digest}"
    assert commands[3].startswith(f"docker push host/{APP}:")
    assert commands[-1] == last


def test_a_verdict_is_valid_by_the_schema() -> None:
    found = Verdict(app=APP, execution="arn", release=None, status="FAILED", text="It failed.")

    for command in ("release", "rollback", "run", "push", "promote", "resume", "show-follow"):
        assert_valid(command, found)
