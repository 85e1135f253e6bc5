"""A failed release, with the lines that gunicorn, Django and the gate really write."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lightgate.deployment.status import Endpoint
from lightgate.diagnosis.app_log import AppLog
from lightgate.diagnosis.log_search import LogWindow
from lightgate.diagnosis.symptoms import Symptoms
from lightgate.gate.gate_report import Phase
from tests.support.builders import DIGEST, EXECUTION, evidence
from tests.support.builders import STARTED as STARTED_AT

OPENED = evidence(Phase.SUCCEEDED)

STARTED = [
    "[2026-11-22 19:03:35 +0000] [1] [INFO] Starting gunicorn 27.0.1",
    "[2026-11-22 19:03:35 +0000] [1] [INFO] Listening at: http://0.0.0.0:8000 (1)",
    "[2026-11-22 19:03:35 +0000] [1] [INFO] Using worker: sync",
    "[2026-11-22 19:03:35 +0000] [7] [INFO] Booting worker with pid: 7",
]
BOOT_FAILED = [
    "[2026-11-22 19:03:21 +0000] [7] [INFO] Worker exiting (pid: 7)",
    "[2026-11-22 19:03:21 +0000] [1] [ERROR] Worker (pid:7) exited with code 3.",
    "[2026-11-22 19:03:21 +0000] [1] [ERROR] Shutting down: Master",
    "[2026-11-22 19:03:21 +0000] [1] [ERROR] Reason: Worker failed to boot.",
]
NO_MODULE = [
    *STARTED,
    "[2026-11-22 19:03:20 +0000] [7] [ERROR] Exception in worker process",
    "Traceback (most recent call last):",
    '  File "/app/crops/wsgi.py", line 3, in <module>',
    "    import weather",
    "ModuleNotFoundError: No module named 'weather'",
    *BOOT_FAILED,
]
NO_VARIABLE = [
    "Traceback (most recent call last):",
    '  File "/app/crops/settings_production.py", line 9, in <module>',
    '    SECRET_KEY = os.environ["SECRET_KEY"]',
    "                 ~~~~~~~~~~^^^^^^^^^^^^^^",
    '  File "<frozen os>", line 716, in __getitem__',
    "KeyError: 'SECRET_KEY'",
    "'SECRET_KEY'",
]
NO_KEY_IN_A_DICT = [
    "Traceback (most recent call last):",
    '  File "/app/crops/wsgi.py", line 9, in <module>',
    '    price = PRICES["WHEAT"]',
    "            ~~~~~~^^^^^^^^^",
    "KeyError: 'WHEAT'",
]
IN_USE = [
    "[2026-11-22 19:03:26 +0000] [1] [ERROR] Connection in use: ('0.0.0.0', 8000)",
    "[2026-11-22 19:03:27 +0000] [1] [ERROR] Can't connect to ('0.0.0.0', 8000)",
]
CHECKED = '172.26.3.1 - - [22/Nov/2026:19:03:37 +0000] "GET {} HTTP/1.1" {} 219 "-" "{}"'
CHECKER = "ELB-HealthChecker/2.0"
BAD_HOST = (
    "Invalid HTTP_HOST header: '172.26.9.4:8000'. You may need to add '172.26.9.4' to "
    "ALLOWED_HOSTS."
)
UNREACHABLE = (
    "django.db.utils.OperationalError: connection failed: connection to server at "
    '"10.0.3.7", port 5432 failed: Connection refused'
)


def app(*lines: str, system: tuple[str, ...] = (), **changes: Any) -> Mapping[str, AppLog]:
    return {"migrate": AppLog(), "web": AppLog(lines=lines, system=system, **changes)}


def symptoms(**changes: Any) -> Symptoms:
    values: dict[str, Any] = {
        "app": "crops-backend",
        "service": "crops-backend",
        "repository": "crops-backend",
        "digest": DIGEST,
        "execution": EXECUTION,
        "evidence": OPENED,
        "logs": {"migrate": None, "web": None},
        "window": LogWindow(since=STARTED_AT, until=STARTED_AT + timedelta(seconds=187)),
        "endpoint": Endpoint(container="web", port=8000, path="/healthz", success_codes="200"),
    }
    return Symptoms(**(values | changes))
