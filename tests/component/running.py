"""The account of one test with our own clients on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from moto import mock_aws

from lightgate.aws.clients import make_client
from tests.component.clock import Clock
from tests.component.cloud import CONFIG, REGION, Cloud, border, skip_formalities
from tests.component.short_calls import shorten_calls

_make_client = cache(make_client)


@contextmanager
def running_cloud(patch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    clock = Clock()
    clock.replace_sleep(patch, "botocore.endpoint")
    skip_formalities(patch)
    patch.setattr("lightgate.runtime.make_client", _make_client)
    patch.setenv("AWS_DEFAULT_REGION", REGION)
    patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    with mock_aws(config=CONFIG):
        shared = border()
        shared.cloud = Cloud(clock)
        shorten_calls(patch, shared.cloud.lightsail.answer)
        patch.setattr("boto3.DEFAULT_SESSION", shared.default)
        yield shared.cloud
