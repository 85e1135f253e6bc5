"""The spec of each example is valid, and its image is what the Dockerfile says."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calls import Said
from tests.support.spec_examples import ROOT

APPS = sorted(path.parent for path in (ROOT / "examples").glob("*/containers-with-migrations.json"))


def test_there_are_three_apps() -> None:
    assert [app.name for app in APPS] == ["crops", "herd", "stalls"]


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_the_spec_of_an_example_is_valid_without_warnings(
    lightgate: Callable[..., Said], app: Path
) -> None:
    said = lightgate("validate", app / "containers-with-migrations.json")

    assert said.code == 0
    assert [line for line in said.errors if not line.startswith(("ok: ", "note: "))] == []


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_every_package_of_an_example_is_pinned_with_its_hash(app: Path) -> None:
    pinned = (app / "requirements.txt").read_text("utf-8")

    names = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==", pinned, re.MULTILINE)
    assert len(names) == len(re.findall(r"^\S.*==.* \\\n    --hash=sha256:", pinned, re.MULTILINE))
    for line in (app / "requirements.in").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            assert re.split(r"[\[<>=,]", line)[0].lower() in names


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_the_image_serves_the_port_of_the_endpoint(app: Path) -> None:
    spec = json.loads((app / "containers-with-migrations.json").read_text("utf-8"))
    dockerfile = (app / "Dockerfile").read_text("utf-8")

    [port] = re.findall(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE)
    assert int(port) == spec["publicEndpoint"]["containerPort"]
