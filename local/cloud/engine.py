"""MiniStack, the AWS engine, as a child process on loopback."""

import contextlib
import os
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from local.cloud.credentials import ACCOUNT, REGION
from local.cloud.processes import LOOPBACK, Process, Program

_START = timedelta(seconds=30)
_PATCHES = Path(__file__).with_name("engine_patches.py")
# The engine runs functions with its own interpreter. Started like this, the engine sees packages
# of the virtual environment, but the functions see only their layers, as on AWS.
_RUN_ENGINE = """
import runpy, site, sys
site.addsitedir(sys.argv.pop())
runpy.run_path(sys.argv.pop())
runpy.run_module("ministack", run_name="__main__")
"""


@contextlib.contextmanager
def running_engine(
    *, port: int, public_url: str, wait_scale: float, directory: Path, logs: Path
) -> Iterator[str]:
    """Start the engine on `port` and yield its URL. Its Lambda workers end with the block, too.

    `public_url` is the AWS endpoint of the functions: the gateway. `wait_scale` is the factor on
    every Wait state of a state machine.
    """
    # Each Lambda worker unpacks its layers into thousands of small files, which is slow on a disk.
    scratch = directory / "scratch"
    scratch.mkdir(parents=True)
    program = Program(
        name="engine",
        argv=[_bare_python(), "-c", _RUN_ENGINE, str(_PATCHES), sysconfig.get_path("purelib")],
        environment=_environment(port, public_url, wait_scale, directory),
        directory=directory,
        memory=scratch,
    )
    with Process(program, logs) as process:
        process.wait_until(lambda: _healthy(port), _START)
        yield f"http://{LOOPBACK}:{port}"


def _bare_python() -> str:
    """The interpreter under the virtual environment, which has the functions' runtime version."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(Path(sys.base_prefix) / "bin" / version)


def _environment(port: int, public_url: str, wait_scale: float, directory: Path) -> dict[str, str]:
    """The engine's whole environment. Its Lambda workers inherit it."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "TMPDIR": str(directory / "scratch"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AUTH": "true",  # a role's policies are enforced, as on AWS
        "SFN_WAIT_SCALE": f"{wait_scale:g}",
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
        # With Docker the engine would start a container for each database record.
        "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
        "AWS_ENDPOINT_URL": public_url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_ASYNC_RETRY_MAX_SECONDS": "5",
        # These listen on fixed ports, so a second local cloud could not start.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "INFO",
    }


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/_ministack/health", timeout=2):
            return True
    except OSError:
        return False
