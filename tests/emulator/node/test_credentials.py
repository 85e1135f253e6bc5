"""The AWS credentials that containers find."""

import json

import pytest

from tests.emulator.emulator import Emulator, wait_for
from tests.emulator.images import script, web
from tests.emulator.registry import Registry

# As an app's boto3 does it. Nothing else may answer.
FIND = """
import time
import botocore.session
found = botocore.session.get_session().get_credentials()
print(found and [found.method, found.access_key[:4], bool(found.secret_key and found.token)])
time.sleep(600)
"""
ASK_WRONGLY = """
import time, urllib.error, urllib.request
try:
    urllib.request.urlopen("http://169.254.170.2/v2/credentials/of-somebody", timeout=5)
except urllib.error.HTTPError as refused:
    print("refused", refused.code)
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("given", "found"), [("role", "['container-role', 'ASIA', True]"), ("none", "None")]
)
def test_the_sdk_in_a_container_finds_the_credentials_of_the_role(
    emulator: Emulator, given: str, found: str
) -> None:
    service = emulator.service(f"credentials-{given}", container_credentials=given)
    service.deploy({"app": script(FIND, AWS_EC2_METADATA_DISABLED="true")})
    wait_for(lambda: found in service.log("app"), f"it finds {found}")


def test_all_containers_of_a_node_have_one_address_and_it_answers_nothing_else(
    emulator: Emulator,
) -> None:
    source = "import os, time; print(os.environ['{}']); time.sleep(600)"
    name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
    show = script(source.format(name))
    service = emulator.service("one-address")
    service.deploy({"one": show, "two": show, "wrong": script(ASK_WRONGLY)})
    wait_for(lambda: "refused 404" in service.log("wrong"), "another path is refused")
    [one], [two] = (
        wait_for(
            lambda each=each: [x for x in service.log(each) if x.startswith("/v2/")],  # type: ignore[misc]
            "it is shown",
        )
        for each in ("one", "two")
    )
    assert one == two


def test_the_variables_of_a_deployment_come_before_those_of_the_role(emulator: Emulator) -> None:
    service = emulator.service("own-variables")
    service.ended(service.deploy({"web": web(AWS_EXECUTION_ENV="mine")}, "web"))
    assert json.loads(service.get("env")[1])["AWS_EXECUTION_ENV"] == "mine"


def test_without_a_network_of_its_own_a_node_has_no_credentials(registry: Registry) -> None:
    source = "import os, time; print(sorted(k for k in os.environ if k.startswith('AWS_')))"
    with Emulator("--registry", registry.url, "--no-namespaces") as emulator:
        service = emulator.service("shared")
        service.deploy({"app": script(f"{source}; time.sleep(600)")})
        wait_for(lambda: "['AWS_EXECUTION_ENV']" in service.log("app"), "it is shown")
