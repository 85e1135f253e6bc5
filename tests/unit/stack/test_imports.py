"""What a cold start loads: no function loads modules that its step has no use for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
_LOADED = """
import importlib, json, re, sys
compile, compiling = re.compile, set()

def remember(*arguments, **named):
    compiling.add(sys._getframe(1).f_globals["__name__"])
    return compile(*arguments, **named)

re.compile = remember
importlib.import_module(f"functions.{sys.argv[1]}.app")
modules = [name for name in sys.modules if name.startswith("lightgate.")]
print(json.dumps([modules, [name for name in compiling if name.startswith("lightgate.")]]))
"""
# It runs in other images too, and has no patterns of Lightgate's package.
_OF_GATE = "lightgate.gate.programs."
# The parts that only these functions use. A name stands for the module and all below it.
USERS = {
    "lightgate.notifications": {
        *("admit", "record_outcome", "start_next", "clean_up", "reconcile", "prune_snapshots"),
        "record_rehearsal",
    },
    "lightgate.deployment.compiler": {
        *("admit", "deploy", "roll_back", "record_outcome", "start_next", "clean_up", "reconcile"),
        *("admit_rehearsal", "run_rehearsal"),
    },
    "lightgate.spec.parser": {
        *("admit", "deploy", "roll_back", "verify_release", "receive_push", "reconcile"),
        *("record_outcome", "prune_snapshots", "start_next", "clean_up"),
        *("admit_rehearsal", "run_rehearsal", "record_rehearsal"),
    },
    "lightgate.spec.keys": {
        *("admit", "deploy", "roll_back", "verify_release", "receive_push", "reconcile"),
        *("record_outcome", "prune_snapshots", "start_next", "clean_up"),
        *("admit_rehearsal", "run_rehearsal", "record_rehearsal"),
    },
    "lightgate.migrations.permit_policy": {
        "admit",
        "check_deployment",
        "roll_back",
        "run_rehearsal",
    },
    # Each adapter is loaded when a step first asks for it.
    "lightgate.aws.rds": set(),
    "lightgate.aws.secretsmanager": set(),
    "lightgate.aws.image_stores": set(),
    "lightgate.aws.lightsail_databases": set(),
}


def functions() -> list[str]:
    return sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))


@pytest.mark.parametrize("function", functions())
def test_a_function_loads_and_compiles_nothing_that_its_step_has_no_use_for(function: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _LOADED, function], check=True, capture_output=True, cwd=ROOT
    )
    loaded, compiling = json.loads(ran.stdout)

    assert [name for name in compiling if not name.startswith(_OF_GATE)] == []
    for module, users in USERS.items():
        found = [name for name in loaded if name == module or name.startswith(f"{module}.")]
        assert function in users or not found, module
