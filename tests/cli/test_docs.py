"""Each example in docs/command-line.md and in the README is what the command prints."""

import os
import re
from pathlib import Path

import pytest

from local.demo import session
from tests.cli.golden import FOLDER

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "command-line.md", ROOT / "README.md"]
EXAMPLES = {
    "lightgate status": "status-example-pipe",
    "lightgate status crops-backend": "status-after-the-demo-pipe",
    "lightgate history crops-backend": "history-example-pipe",
    "lightgate show 20261129t091001z": "show-rolled_back-terminal",
    "lightgate explain crops-backend v3": "explain-example-pipe",
    "lightgate release crops-backend --tag v3 --follow": "follow-pipe",
}
BLOCK = r"```console\n\$ {command}\n(.*?)```\n"


@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_is_what_the_command_prints(command: str) -> None:
    pattern = BLOCK.format(command=re.escape(command))
    printed = (FOLDER / f"{EXAMPLES[command]}.txt").read_text("utf-8")
    if os.environ.get("REWRITE_GOLDEN") == "1":
        block = f"```console\n$ {command}\n{printed}```\n"
        for page in PAGES:
            text = re.sub(pattern, lambda _: block, page.read_text("utf-8"), flags=re.DOTALL)
            page.write_text(text, "utf-8")

    shown = [
        found
        for page in PAGES
        for found in re.findall(pattern, page.read_text("utf-8"), flags=re.DOTALL)
    ]

    assert shown != []
    assert {*shown} == {printed}


def test_every_transcript_is_such_an_example() -> None:
    shown = {
        command
        for page in PAGES
        for command in re.findall(r"```console\n\$ (.*)", page.read_text("utf-8"))
    }

    # The README's session is a record of the demo: tests/local/test_session.py.
    assert shown == {*EXAMPLES, session.COMMANDS[0]}
