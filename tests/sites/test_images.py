"""The gate in what people's images have: launchers, servers, environments and stop signals."""

import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lightgate.deployment.python_call import helper_words
from lightgate.gate.packaging import CLASSIFIER, program_hash, program_text
from local.cloud.postgres import Database
from tests.gate.programs import Program, Runner, eventually, facts, free_port, resident_kilobytes
from tests.gate.projects import postgres
from tests.sites.images import IMAGES, PACKAGES, Image
from tests.sites.table import IMAGES_PAGE, record

pytestmark = pytest.mark.slow
CHECK = "import urllib.request as r; r.urlopen('http://127.0.0.1:{}/', timeout=4)"


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: " ".join(image.names))
def test_an_image_migrates_serves_and_stops_as_without_the_gate(
    runner: Runner, database: Database, tmp_path: Path, image: Image
) -> None:
    if image.is_read_only and os.geteuid() != 0:
        pytest.skip("only root may mount")
    python = PACKAGES.python()
    server_port, port = free_port(), free_port()
    image.write(tmp_path, server_port)
    variables = image.variables(postgres(database), python.parent.parent)
    options = {"cwd": tmp_path, "env": variables, "prefix": image.prefix}
    words = [*image.launcher, *(word.replace("PORT", str(server_port)) for word in image.server)]

    migrate = gate_of_migrate(runner, image, options)
    applied = len(migrate.event("succeeded")["migrations"])

    web = runner.supervisor(
        words,
        python=str(python),
        options=options,
        container="web",
        mode="service",
        port=port,
        **health_check(image, server_port),
    )
    if image.says:
        web.says(image.says.encode())
    else:
        eventually(lambda: bool(web.named("succeeded")), "is not healthy", web, limit=120)
        assert facts(port, "HEALTHY")
    memory = resident_kilobytes(web.process.pid)
    web.told(image.stop)
    code = web.ends()

    assert web.named("failed") == []
    alone = exit_code_alone(words, options, server_port, image)
    cells = [*image.names, str(applied), str(code), str(alone), f"{memory / 1024:.1f}"]
    assert code == alone
    record("images", 4, cells, IMAGES_PAGE)


def health_check(image: Image, port: int) -> dict[str, Any]:
    if image.says:
        return {}
    check = {"command": ["python", "-c", CHECK.format(port)], "startPeriod": 0}
    return {"healthCheck": {**check, "interval": 1, "timeout": 10, "retries": 60}}


def gate_of_migrate(runner: Runner, image: Image, options: dict[str, Any]) -> Program:
    """The gate of `migrate` behind the image's launcher."""
    manage = (*image.launcher, "python", "manage.py")
    words = [*manage, "migrate", "--noinput"]
    config = {
        "timeoutSeconds": 300,
        "django": {
            **helper_words(manage, tuple(words)),
            "database": "default",
            "policy": "warn",
            "allowDestructive": False,
            "lockTimeoutSeconds": 2,
            "requireLock": True,
            "databaseTimeoutSeconds": 30,
            "classifier": program_hash(CLASSIFIER),
        },
        "classifier": 1,
    }
    gate = runner.supervisor(
        [program_text("django_helper"), program_text(CLASSIFIER), *words],
        python=str(PACKAGES.python()),
        options=options,
        **config,
    )
    done = lambda: bool(gate.named("succeeded") or gate.named("failed"))  # noqa: E731
    eventually(done, "does not end", gate, limit=300)
    assert gate.named("failed") == [], gate.output
    return gate


def exit_code_alone(words: list[str], options: dict[str, Any], port: int, image: Image) -> int:
    """The exit code of the server without a gate, stopped in the same way."""
    prefix = options.pop("prefix")
    said = options["cwd"] / "output"
    with (
        said.open("wb") as output,
        subprocess.Popen([*prefix, *words], stdout=output, stderr=output, **options) as server,
    ):
        is_ready = lambda: image.says in said.read_text() if image.says else answers(port)  # noqa: E731
        eventually(is_ready, "is not served without the gate", limit=120)
        server.send_signal(image.stop)
        code = server.wait(60)
    return code if code >= 0 else 128 - code


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=4) as answer:
            return bool(answer.read() == b"served")
    except (OSError, urllib.error.URLError):
        return False


@pytest.mark.parametrize("pool", ["prefork", "solo", "threads", "gevent", "eventlet"])
def test_a_celery_worker_finishes_its_task_after_term(
    runner: Runner, tmp_path: Path, pool: str
) -> None:
    python = PACKAGES.python()
    image = Image(server=())
    image.write(tmp_path)
    options = {"cwd": tmp_path, "env": image.variables({}, python.parent.parent)}
    worker = runner.supervisor(
        ["celery", "-A", "tasks", "worker", "--pool", pool, "--concurrency", "2"],
        python=str(python),
        options=options,
        container="worker",
        mode="service",
    )
    send = [str(python), "-c", "import tasks; tasks.harvest.delay()"]
    subprocess.run(send, cwd=tmp_path, env=options["env"], check=True)
    worker.says(b"harvest begins")

    worker.told(signal.SIGTERM)

    assert worker.ends() == 0
    assert b"harvest is finished" in worker.output
    assert b"WorkerLostError" not in worker.output
