"""Ctrl-C: the release goes on, and the command says how to see it again."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from lightgate_cli import promote, push, rehearse, release, resume, rollback, run, show
from lightgate_cli.acting import carry_out, pausing, rehearsing, start
from lightgate_cli.acting.following import Followed
from lightgate_cli.acting.pausing import ResumedApp
from lightgate_cli.acting.pushing import Target
from lightgate_cli.acting.start import Started
from lightgate_cli.connection import Connection
from local.cloud.announcement import announced
from tests.cli.calls import Said

RELEASE = "20261129t091001z-7849e651-b597"
FOLLOWING = {
    "release": ["release", "crops", "--tag", "v3", "--follow"],
    "rollback": ["rollback", "crops", "--follow"],
    "run": ["run", "crops", "--image", "v3", "--follow", "--local", "--", "ls"],
    "promote": ["promote", "staging", "crops", "--follow"],
    "push": ["push", "crops", "."],
    "resume": ["resume", "crops", "--follow"],
    "show": ["show", "v3", "--follow"],
    "rehearse": ["rehearse", "crops", "--yes", "--follow"],
}


def interrupted(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Whatever the commands start, Ctrl-C comes as soon as it is followed."""
    execution = Started(app="crops", execution="arn:x", request={})
    followed = Followed(app="crops", execution="arn:x", release=RELEASE)
    target = Target(app="crops", repository="crops", tag="v3", digest=None, live=None, newest=None)
    spec = SimpleNamespace(repository="crops")
    for module in (release, run, rollback, promote):
        monkeypatch.setattr(module, "start", lambda *_, **__: execution)
    for module in (release, run):
        monkeypatch.setattr(module, "require_app", lambda *_: None)
    monkeypatch.setattr(rollback, "require_status", lambda *_: (None, None))
    monkeypatch.setattr(rollback, "target_of", lambda *_, **__: 3)
    monkeypatch.setattr(push, "target_of_push", lambda *_: target)
    monkeypatch.setattr(push, "Docker", SimpleNamespace)
    monkeypatch.setattr(push, "push_image", lambda *_: "sha256:1")
    monkeypatch.setattr(push, "release_of_push", lambda *_: followed)
    monkeypatch.setattr(resume, "require_app", lambda *_: None)
    monkeypatch.setattr(pausing, "resume", lambda *_: ResumedApp(app="crops", execution="arn:x"))
    monkeypatch.setattr(promote, "require_spec", lambda *_: spec)
    monkeypatch.setattr(promote, "require_status", lambda *_: (None, spec))
    monkeypatch.setattr(promote, "require_live", lambda *_: SimpleNamespace(digest="d", tag="v3"))
    monkeypatch.setattr(show, "execution_of", lambda *_: followed)
    monkeypatch.setattr(Connection, "has_rehearsal", lambda *_: False)
    monkeypatch.setattr(rehearse, "require_spec", lambda *_: None)
    monkeypatch.setattr(rehearse, "cost_and_duration", lambda *_, **__: [])
    monkeypatch.setattr(rehearse, "start_rehearsal", lambda *_, **__: execution)
    monkeypatch.setattr(carry_out, "follow", interrupted)
    monkeypatch.setattr(rehearsing, "_wait", interrupted)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with announced("http://127.0.0.1:1", "lightgate"):
        yield


def local(words: Sequence[str]) -> Sequence[str]:
    return words if "--local" in words else [*words, "--local"]


@pytest.mark.parametrize("name", FOLLOWING)
def test_the_command_says_how_to_follow_it_again(name: str, lightgate: Callable[..., Said]) -> None:
    said = lightgate(*local(FOLLOWING[name]))

    assert said.code == 130
    assert said.errors[-2:] == [
        f"The {'rehearsal' if name == 'rehearse' else 'release'} goes on. To follow it again:",
        f"  lightgate show --local {RELEASE if name in ('push', 'show') else 'arn:x'} --follow",
    ]


@pytest.mark.parametrize("name", FOLLOWING)
def test_json_says_it_as_well(name: str, lightgate: Callable[..., Said]) -> None:
    command, *words = local(FOLLOWING[name])

    failure = json.loads(lightgate(command, "--json", *words).output)

    assert failure["error"] == "interrupted"
    assert failure["hint"].startswith("lightgate show --local ")
    assert failure["hint"].endswith(" --follow")


@pytest.mark.parametrize("part", ["push_image", "release_of_push"])
def test_a_push_that_was_stopped_may_start_its_release(
    part: str, lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, part, interrupted)

    said = lightgate("push", "crops", os.curdir, "--local")

    assert said.code == 130
    assert said.errors[-2:] == [
        "If the image is in ECR, its release starts without this command. To see it:",
        "  lightgate explain --local crops v3",
    ]


def test_a_start_that_was_stopped_may_have_happened(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "start", start.start)
    monkeypatch.setattr(Connection, "caller", "arn:aws:iam::1:user/ann")
    monkeypatch.setattr(Connection, "executions", SimpleNamespace(start=interrupted))

    said = lightgate("release", "crops", "--tag", "v3", "--local")

    assert said.code == 130
    assert said.errors[-2:] == [
        "It may have started. To see it:",
        "  lightgate history --local crops",
    ]
