"""The steps of the README that install Lightgate, and those of docs/github-actions.md.

Each block of commands runs in Bash as it is printed. `docker` is a stand-in. Replaced are the names
that a reader replaces. `sam deploy` and VPC peering are left out: the stack is there already.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.cloud import account
from local.cloud.cloud import LocalCloud, Stack
from local.cloud.credentials import ACCOUNT, REGION, ROOT
from local.demo import crops
from tests.docs.pages import code_of
from tests.support.spec_examples import FULL

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
APP = crops.APP


@dataclass(frozen=True)
class Reader:
    """Somebody with a service, a database and an app, who copies commands into a shell."""

    cloud: LocalCloud
    stack: Stack
    folder: Path
    environment: Mapping[str, str]

    def run(self, script: str, **more: str) -> str:
        """What the script prints. It ends at its first command that fails."""
        shell = ["bash", "-e", "-u", "-o", "pipefail", "-c", script]
        ran = subprocess.run(
            shell,
            cwd=self.folder,
            env={**self.environment, **more},
            check=False,
            timeout=300,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    def takes(self, release: str) -> None:
        """Put this release of the example into the folder, with a Dockerfile."""
        for folder in crops.folders(release):
            shutil.copytree(folder, self.folder, dirs_exist_ok=True)
        (self.folder / "Dockerfile").write_text("FROM scratch\n")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    programs = tmp_path_factory.mktemp("bin")
    # The example, with a watch period of real seconds.
    spec = folder / "examples" / "specs" / "full.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps(FULL | {"verification": {"watchSeconds": 2}}), "utf-8")
    with LocalCloud() as cloud:
        stack = cloud.deploy()
        cloud.client("lightsail").create_container_service(serviceName=APP, power="nano", scale=1)
        database = cloud.database
        account.create_database_record(
            cloud.client("rds"), FULL["database"]["instance"], database.port, database.password
        )
        # The registry of the account is that of the local cloud.
        host = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
        local = cloud.endpoint.removeprefix("http://")
        docker = f'{sys.executable} -m tests.e2e.docker_stand_in "${{@//{host}/{local}}}"'
        lightgate = f'{sys.executable} -m lightgate_cli "$@"'
        for name, command in {"docker": docker, "lightgate": lightgate}.items():
            (programs / name).write_text(f"#!/bin/bash\nexec {command}\n")
            (programs / name).chmod(0o755)
        own = [PROJECT, PROJECT / "cli", PROJECT / "layers" / "core"]
        environment = {
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([*map(str, own), os.environ.get("PYTHONPATH", "")]),
            "HOME": str(folder),
            "STAND_IN": str(programs),
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            **ROOT,
        }
        yield Reader(cloud, stack, folder, environment)


def steps(page: str, title: str) -> list[str]:
    """The scripts of a section, in their order."""
    text = (PROJECT / page).read_text("utf-8")
    section = re.split(r"^## ", text.partition(f"\n## {title}\n")[2], flags=re.MULTILINE)[0]
    return [code.text for code in code_of(section, page) if code.language == "sh"]


def replaced(script: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        script = script.replace(name, value)
    return script


def test_the_steps_of_the_readme_lead_to_a_first_release(reader: Reader) -> None:
    programs, stack, *rest, push = steps("README.md", "Install it into your account")
    groups = reader.cloud.client("ec2").describe_security_groups()["SecurityGroups"]
    values = {
        "postgres://USER:PASSWORD@HOST:5432/crops": reader.cloud.database.url,
        "SECRET ": "a-secret-key ",
        "sg-0123456789abcdef0": groups[0]["GroupId"],
        # The emulator has no VPC. Its containers reach the database on loopback.
        "aws lightsail peer-vpc\n": "",
        # It ends with 1 as long as there is no image.
        "lightgate doctor crops-backend\n": "lightgate doctor crops-backend || true\n",
    }

    assert "pipx install --python 3.13 ." in programs
    assert "sam deploy --config-env production" in stack
    printed = [reader.run(replaced(script, values)) for script in rest]
    assert re.findall(r"FAIL  (\S+)", printed[-1]) == ["image"]
    reader.takes("v1")
    assert "SUCCEEDED: Release v1 of crops-backend is live." in reader.run(push)
    assert "v1" in reader.run(f"lightgate status {APP}")


def test_the_role_of_the_github_job_may_push_and_wait(reader: Reader) -> None:
    """After the test above, with a second release of the example."""
    provider, trust, policy = steps("docs/github-actions.md", "The role")
    [bucket] = [
        one["OutputValue"] for one in outputs(reader) if one["OutputKey"] == "EvidenceBucketName"
    ]
    values = {
        "123456789012": ACCOUNT,
        "table/TABLE": f"table/{reader.stack.table_name}",
        "s3:::BUCKET": f"s3:::{bucket}",
    }

    for script in (provider, trust, policy):
        reader.run(replaced(script, values))
    # Nobody here has GitHub's identity, so the test takes the role as the account.
    trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    reader.cloud.client("iam").update_assume_role_policy(
        RoleName="lightgate-push",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusted]}),
    )
    role = reader.cloud.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/lightgate-push", RoleSessionName="job"
    )["Credentials"]
    job = {
        "AWS_ACCESS_KEY_ID": role["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": role["SecretAccessKey"],
        "AWS_SESSION_TOKEN": role["SessionToken"],
        "APP": APP,
        "GITHUB_REF_NAME": "v2",
    }
    reader.takes("v2")
    build = "docker build --platform linux/amd64 --tag crops-backend:v2 ."
    push = [step["run"] for step in job_steps() if "push" in step.get("run", "")]

    printed = reader.run(f"{build}\n{push[0]}", **job)

    assert "SUCCEEDED: Release v2 of crops-backend is live." in printed
    with pytest.raises(AssertionError, match=r"not authorized|AccessDenied"):
        reader.run("aws ssm get-parameter --name /crops/secret-key", **job)


def outputs(reader: Reader) -> list[dict[str, str]]:
    [stack] = reader.cloud.client("cloudformation").describe_stacks(StackName="lightgate")["Stacks"]
    found: list[dict[str, str]] = stack["Outputs"]
    return found


def job_steps() -> list[dict[str, Any]]:
    workflow = yaml.safe_load(
        (PROJECT / "examples" / "github-actions" / "release.yml").read_text("utf-8")
    )
    found: list[dict[str, Any]] = workflow["jobs"]["release"]["steps"]
    return found
