"""The diagnosis of what a container has printed, by the whole way from its bytes on."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from lightgate.diagnosis.app_log import read_app_log
from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.gate.programs.supervisor.child import Child
from lightgate.gate.report_reader import read_gate_report
from tests.support.failed_release import symptoms

_RELEASE = "20261116t015434z-7f5b2640-0c1d"
_VERSION = 8


def diagnose_app_log(lines: Sequence[str], *, ended: str = "Took too long") -> Diagnosis:
    """Of an app whose gate opened, and that wrote these lines then."""
    log = [
        f"[deployment:{_VERSION}] Creating your deployment",
        f"[deployment:{_VERSION}] Started 1 new node",
        *lines,
        f"[deployment:{_VERSION}] {ended}",
    ]
    web = read_app_log("web", log, version=_VERSION, release=_RELEASE)
    migrate = read_app_log("migrate", [], version=_VERSION, release=_RELEASE)
    return diagnose(symptoms(logs={"migrate": migrate, "web": web}))


def diagnose_command(
    lines: Sequence[str],
    *,
    migration: str | None = None,
    container: str = "migrate",
    code: int = 1,
    **more: Any,
) -> Diagnosis:
    """Of a command that printed these lines under its gate, and exited with this code."""
    gate: Any = SimpleNamespace(
        config={"secrets": []}, emit=lambda *_, **__: None, write=lambda *_: None, times=[]
    )
    child = Child(gate, is_probe=False)
    child.code = code
    for line in lines:
        child.take(line.encode() + b"\n")
    failed = child.failure()
    tail = child.tail()
    event = {
        "lightgate": 1,
        "release": _RELEASE,
        "container": container,
        "event": "failed",
        "at": "2026-11-16T01:56:02Z",
        "cause": failed.cause,
        "error": failed.error,
        "exitCode": failed.code,
        "lastLines": [*(one for one in child.raised if one not in tail), *tail],
        **failed.more,
        **({"migration": migration} if migration else {}),
    }
    report = read_gate_report(_RELEASE, {container: [json.dumps(event)]})
    return diagnose(symptoms(evidence=report, logs={}, **more))
