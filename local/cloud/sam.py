"""The real `sam build` and `sam deploy`, quiet unless they fail."""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.cloud.clients import client_for
from local.cloud.credentials import ROOT
from local.cloud.errors import LocalCloudError
from local.cloud.processes import LOOPBACK, Process, Program

_BUILD = timedelta(minutes=5)
_DEPLOY = timedelta(minutes=3)
_SOURCES = ("functions", "layers", "report", "statemachine")
_NOT_FOR_SAM = ("AWS_", "SAM_", "PYTHON")


def build(project: Path, logs: Path) -> Path:
    """Build the stack and return the path of the built template.

    The result is under `build/sam` of the project. It is used again if no source has changed. Two
    builds at the same time wait for each other.
    """
    directory = project / "build" / "sam"
    directory.mkdir(parents=True, exist_ok=True)
    built = directory / "stack"
    arguments = [
        *("--template-file", str(project / "template.yaml")),
        *("--build-dir", str(built), "--cache-dir", str(directory / "cache")),
        *("--cached", "--parallel"),
    ]
    template, built_from = built / "template.yaml", directory / "built-from"
    with _exclusive(directory / "lock"):
        sources = _fingerprint(project)
        if not template.exists() or not _says(built_from, sources):
            built_from.unlink(missing_ok=True)
            _run("sam-build", [_sam(), "build", *arguments], project, logs, _BUILD)
            _run("compile", _compile(built), project, logs, _BUILD)
            built_from.write_text(sources)
    return template


def _sam() -> str:
    return str(Path(sys.executable).with_name("sam"))


def _fingerprint(project: Path) -> str:
    """A hash of all sources. SAM takes seconds for an unchanged build, even with its cache."""
    whole = hashlib.sha256(f"{sys.version} {project}".encode())
    files = [project / "template.yaml"]
    for folder in _SOURCES:
        files += sorted(path for path in (project / folder).rglob("*") if path.is_file())
    for file in files:
        if "__pycache__" not in file.parts:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            whole.update(f"{file.relative_to(project)} {content}".encode())
    return whole.hexdigest()


def _says(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


def deploy(
    project: Path,
    template: Path,
    stack: str,
    endpoint: str,
    logs: Path,
    *,
    environment: str = "local",
    overrides: Sequence[str] = (),
) -> dict[str, str]:
    """Deploy the built template as an environment of samconfig.toml. Returns the stack's outputs.

    `overrides` are parameters as `Name=value`. The error of a failure names each failed resource
    with its reason.
    """
    arguments = [
        *("--template-file", str(template)),
        *("--config-file", str(project / "samconfig.toml"), "--config-env", environment),
        *("--stack-name", stack, "--no-progressbar", "--no-confirm-changeset"),
        *(("--parameter-overrides", *overrides) if overrides else ()),
    ]
    cloudformation = client_for("cloudformation", endpoint)
    command = [_sam(), "deploy", *arguments]
    try:
        _run("sam-deploy", command, project, logs, _DEPLOY, AWS_ENDPOINT_URL=endpoint)
    except LocalCloudError as error:
        reasons = "; ".join(_failed_events(cloudformation, stack))
        raise LocalCloudError(f"{error}: {reasons}" if reasons else str(error)) from None
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def _compile(built: Path) -> list[str]:
    # The engine unpacks the layer for each function, and each function would compile it again.
    # Unchecked, because the times of the files are lost in the archive.
    unchecked = ("--invalidation-mode", "unchecked-hash")
    return [sys.executable, "-m", "compileall", "-qq", "-j", "0", *unchecked, str(built)]


def _run(
    name: str, command: list[str], project: Path, logs: Path, within: timedelta, **variables: str
) -> None:
    environment = _environment(**variables)
    program = Program(name=name, argv=command, environment=environment, directory=project)
    with Process(program, logs) as process:
        if process.wait(within) != 0:
            raise process.trouble("failed")


def _environment(**more: str) -> dict[str, str]:
    """The user's environment, for pip's settings and proxies, without AWS credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_FOR_SAM)}
    return kept | {
        # `sam build` looks for the functions' runtime, python3.13, on PATH.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": LOOPBACK,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",  # seconds
        **ROOT,
        **more,
    }


def _failed_events(cloudformation: Any, stack: str) -> list[str]:  # noqa: ANN401 - boto3
    try:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    except ClientError:
        return []  # it failed before there was a stack
    return [
        f"{event['LogicalResourceId']} {event['ResourceStatus']}"
        f" ({event.get('ResourceStatusReason', 'no reason given')})"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    ]


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
