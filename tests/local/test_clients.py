"""The clients of the local cloud have nothing to do with the account of the shell."""

import pytest

from local.cloud.clients import client_for


def test_a_profile_that_does_not_exist_here_makes_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-another-home")

    client = client_for("lightsail", "http://127.0.0.1:1")

    assert client.meta.region_name == "us-east-1"
