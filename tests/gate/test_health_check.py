"""A health check that cannot be started is a failed check, and costs the app nothing."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gate.programs import Program, Runner, facts, free_port, shell

SERVER = "trap 'echo asked; exit 4' TERM; echo serving; while :; do sleep 0.05; done"


def check(command: list[str], retries: int = 2, interval: float = 0.05) -> dict[str, Any]:
    return {
        "command": command, "interval": interval, "timeout": 5, "retries": retries, "startPeriod": 0
    }  # fmt: skip


@pytest.fixture
def bare_image(tmp_path: Path) -> Path:
    """What an image has beside Python: a shell, and no curl."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "sleep", "yes", "head"):
        (programs / name).symlink_to(shutil.which(name) or name)
    return programs


@pytest.fixture
def service(runner: Runner, bare_image: Path) -> Callable[..., Program]:
    def start(health_check: dict[str, Any], **more: Any) -> Program:
        return runner.supervisor(
            shell(SERVER),
            options={"env": {"PATH": str(bare_image)}},
            container="web",
            mode="service",
            graceSeconds=10,
            healthCheck=health_check,
            **more,
        )

    return start


def cannot_start(kind: str, directory: Path) -> tuple[list[str], str]:
    path = directory / "check"
    match kind:
        case "missing":
            return ["curl", "-f", "http://127.0.0.1:8000/"], "No such file or directory (ENOENT)"
        case "no shell":
            return ["/no/bin/sh", "-c", "exit 0"], "No such file or directory (ENOENT)"
        case "a directory":
            path.mkdir()
            return [str(path)], "Permission denied (EACCES)"
        case "not executable":
            path.write_text("#!/bin/sh\nexit 0\n")
            return [str(path)], "Permission denied (EACCES)"
        case "of another machine":
            path.write_bytes(b"\x7fELF no program")
            path.chmod(0o755)
            return [str(path)], "Exec format error (ENOEXEC)"
        case _:
            path.write_text("#!/no/such/interpreter\n")
            path.chmod(0o755)
            return [str(path)], "No such file or directory (ENOENT)"


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        "no shell",
        "a directory",
        "not executable",
        "of another machine",
        "no interpreter",
    ],
)
def test_the_app_is_stopped_and_ends_as_without_a_health_check_that_cannot_start(
    service: Callable[..., Program], tmp_path: Path, kind: str
) -> None:
    command, why = cannot_start(kind, tmp_path)
    port = free_port()
    web = service(check(command), port=port)

    failed = web.event("failed")

    assert (failed["cause"], failed["error"]) == (
        "healthCheck",
        f"health check: cannot run {command[0]!r}: {why}",
    )
    assert facts(port, "FAILED")[0].endswith(" START")
    assert web.is_alive()
    web.told(signal.SIGTERM)
    assert web.ends() == 4
    assert b"asked" in web.command_output


def test_the_exit_code_of_an_app_is_kept_beside_a_check_that_cannot_start(runner: Runner) -> None:
    web = runner.supervisor(
        shell("sleep 0.5; exit 9"), mode="service", healthCheck=check(["curl"], retries=1)
    )
    assert web.ends() == 9


def test_a_check_that_can_start_later_opens_the_gate(
    service: Callable[..., Program], tmp_path: Path
) -> None:
    command, port = tmp_path / "ready", free_port()
    web = service(check([str(command)], retries=1000), port=port)
    web.says(b"serving")
    command.write_text("#!/bin/sh\nexit 0\n")
    command.chmod(0o755)
    assert facts(port, "HEALTHY")


def test_a_preflight_that_cannot_start_keeps_the_command_from_running(
    runner: Runner, bare_image: Path
) -> None:
    migrate = runner.supervisor(
        shell("echo ran"),
        options={"env": {"PATH": str(bare_image)}},
        healthCheck=check(["pg_isready"], 1),
    )
    failed = migrate.event("failed")
    assert failed["cause"] == "preflight"
    assert "cannot run 'pg_isready'" in failed["error"]
    assert migrate.command_output == b""


def test_a_check_that_prints_a_megabyte_and_hangs_is_a_failed_check(
    service: Callable[..., Program],
) -> None:
    loud = {**check(shell("yes | head -c 1000000; exec sleep 60"), 0), "timeout": 0.7}
    web = service(loud)
    assert web.event("failed")["error"] == "health check: no answer within 0.7 s"
    web.told(signal.SIGTERM)
    assert web.ends() == 4
