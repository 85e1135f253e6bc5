"""The harness of faults stands apart from the product, so that moved files cannot break it."""

import json
import subprocess
import sys
from pathlib import Path

from lightgate import names
from tests.component import lightsail_service
from tests.faults import gate

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
import tests.faults.__main__, tests.faults.mutants
print(json.dumps([name for name in sys.modules if name.partition(".")[0] in sys.argv[1:]]))
"""


def test_the_harness_imports_nothing_of_the_product() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, "lightgate", "functions"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(answer.stdout) == []


def test_the_variables_that_the_doubles_write_out_are_those_of_the_product() -> None:
    assert lightsail_service.RELEASE_VARIABLE == gate.RELEASE == names.RELEASE_VARIABLE
    assert gate.MAILBOX == names.MAILBOX_VARIABLE
