"""The first moments of the command, before its own modules are imported."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
{before}

class Interrupt:
    def find_spec(self, name, *_):
        if name == "lightgate_cli.main":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["lightgate", "--version"]
from lightgate_cli.entry import main
main()
"""


@pytest.mark.parametrize(
    ("before", "code", "printed"),
    [
        ("", -signal.SIGINT, ""),
        ("signal.signal(signal.SIGINT, signal.SIG_IGN)", 0, "lightgate "),
    ],
    ids=["on a terminal", "in the background"],
)
def test_an_interruption_of_the_first_imports_is_no_traceback(
    before: str, code: int, printed: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (ran.returncode, ran.stderr) == (code, "")
    assert ran.stdout.startswith(printed)
