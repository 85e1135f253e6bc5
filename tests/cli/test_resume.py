"""The lines of `lightgate resume` about the waiting push."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightgate_cli import resume
from lightgate_cli.acting import pausing
from lightgate_cli.acting.pausing import ResumedApp
from local.cloud.announcement import announced
from tests.cli.calls import Said


@pytest.fixture(autouse=True)
def local_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(resume, "require_app", lambda *_: None)
    with announced("http://127.0.0.1:1", "lightgate"):
        yield


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (ResumedApp(app="crops"), "No push waits."),
        (
            ResumedApp(app="crops", behind="r-1"),
            "The push that waits starts after the release r-1.",
        ),
        (
            ResumedApp(app="crops", is_rehearsed=True),
            "The push that waits is rehearsed first: Reconcile starts it within 15 minutes.",
        ),
    ],
    ids=["nothing", "behind a release", "to be rehearsed"],
)
def test_it_says_when_the_push_that_waits_starts(
    found: ResumedApp, told: str, lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "resume", lambda *_: found)

    said = lightgate("resume", "crops", "--local")

    assert (said.code, said.output.splitlines()[-1]) == (0, told)
