"""An old deployment once more, without its secrets in anybody's hands."""

import json
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import validate_parameters

from lightgate.deployment.compiler import compile_deployment
from lightgate.deployment.redeploy import redeploy
from tests.support.builders import RELEASE, app_spec, compiled_secrets, source

MARKERS = {"LIGHTGATE_RELEASE": "another"}
SECRETS = {"secrets": {"SECRET_KEY": "ssm:/crops/key"}}
PINNED = "123456789012.dkr.ecr.us-east-1.amazonaws.com/crops:lightgate-7f5b2640fe6f"
VALUE = "value of ssm:/crops/key"


def shown(**spec: Any) -> dict[str, Any]:
    """A deployment of ours as Lightsail lists it: what was not given is there, and empty."""
    parsed = app_spec(**spec)
    request = compile_deployment(
        parsed, source(reference=PINNED), RELEASE, compiled_secrets(parsed)
    )
    for container in request["containers"].values():
        container.setdefault("command", [])
    return {"version": 7, "state": "INACTIVE", "createdAt": "2026-11-16T01:54:34Z", **request}


def test_everything_is_as_it_was_but_the_marker() -> None:
    before = shown(**SECRETS)
    again = redeploy("crops-backend", before, MARKERS, {}).request

    for container in before["containers"].values():
        assert container["environment"].pop("LIGHTGATE_RELEASE") == RELEASE
        assert container["command"]
    for container in again["containers"].values():
        assert container["environment"].pop("LIGHTGATE_RELEASE") == "another"
    for name in ("containers", "publicEndpoint", "serviceName"):
        assert again[name] == before[name], name
    assert again.keys() == {"containers", "publicEndpoint", "serviceName"}


def test_other_variables_of_the_gate_stay_unless_there_are_new_ones() -> None:
    before = shown()
    before["containers"]["migrate"]["environment"]["LIGHTGATE_MAILBOX"] = "old"

    kept = redeploy("crops-backend", before, MARKERS, {}).request
    new = redeploy("crops-backend", before, {**MARKERS, "LIGHTGATE_MAILBOX": "new"}, {}).request

    assert kept["containers"]["migrate"]["environment"]["LIGHTGATE_MAILBOX"] == "old"
    assert new["containers"]["migrate"]["environment"]["LIGHTGATE_MAILBOX"] == "new"


def test_a_command_that_a_person_once_gave_is_not_given_again() -> None:
    before = shown()
    before["containers"]["lightgate-command"] = before["containers"]["migrate"]

    assert redeploy("crops-backend", before, MARKERS, {}).request["containers"].keys() == {
        "migrate",
        "web",
    }


def test_lightsail_takes_the_request() -> None:
    document = Loader().load_service_model("lightsail", "service-2")
    shape = ServiceModel(document).operation_model("CreateContainerServiceDeployment").input_shape

    validate_parameters(redeploy("crops-backend", shown(), MARKERS, {}).request, shape)


def test_a_service_without_a_public_endpoint_gets_none() -> None:
    private = shown(publicEndpoint=None, unprotected=True)

    assert "publicEndpoint" not in redeploy("crops-backend", private, MARKERS, {}).request


def test_a_command_of_the_images_own_stays_the_images_own() -> None:
    before = shown()
    before["containers"]["web"]["command"] = []

    again = redeploy("crops-backend", before, MARKERS, {}).request

    assert "command" not in again["containers"]["web"]


@pytest.mark.parametrize(("value", "notes"), [(VALUE, 0), ("a new one", 1)])
def test_a_rollback_uses_current_secrets_and_reports_changes_without_values(
    value: str, notes: int
) -> None:
    found = redeploy("crops-backend", shown(**SECRETS), MARKERS, {"web": {"SECRET_KEY": value}})

    assert found.request["containers"]["web"]["environment"]["SECRET_KEY"] == value
    assert found.request["containers"]["migrate"]["environment"]["SECRET_KEY"] == VALUE
    assert len(found.notes) == notes
    assert value not in repr(found)
    assert VALUE not in repr(found)
    if notes:
        assert found.notes[0].startswith("The value of SECRET_KEY has changed since")


def test_a_secret_that_the_old_version_did_not_have_is_not_added() -> None:
    secrets = {"web": {"NEW_KEY": "1"}, "worker": {"SECRET_KEY": "2"}}
    again = redeploy("crops-backend", shown(**SECRETS), MARKERS, secrets).request

    assert "NEW_KEY" not in again["containers"]["web"]["environment"]
    assert "worker" not in again["containers"]


def test_an_image_that_may_have_moved_is_noted() -> None:
    before = shown()
    before["containers"]["proxy"] = {"image": "nginx:1.27", "environment": {}, "ports": {}}

    assert redeploy("crops-backend", before, MARKERS, {}).notes == (
        "The image nginx:1.27 of proxy may have changed since then.",
    )


def test_nothing_but_a_marker_is_changed_by_a_marker() -> None:
    with pytest.raises(ValueError, match="not a marker: DATABASE_URL"):
        redeploy("crops-backend", shown(), {"DATABASE_URL": "x"}, {})


def test_the_old_deployment_is_left_as_it_is() -> None:
    before = shown(**SECRETS)
    copy = json.loads(json.dumps(before))

    redeploy("crops-backend", before, MARKERS, {"web": {"SECRET_KEY": "new"}})

    assert before == copy
