"""Each example in docs/command-line.md is what the command prints."""

import os
import re
from pathlib import Path

import pytest

from tests.cli.golden import FOLDER

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
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
    text = PAGE.read_text("utf-8")
    pattern = BLOCK.format(command=re.escape(command))
    printed = (FOLDER / f"{EXAMPLES[command]}.txt").read_text("utf-8")
    if os.environ.get("REWRITE_GOLDEN") == "1":
        block = f"```console\n$ {command}\n{printed}```\n"
        text = re.sub(pattern, lambda _: block, text, flags=re.DOTALL)
        PAGE.write_text(text, "utf-8")

    [shown] = re.findall(pattern, text, flags=re.DOTALL)

    assert shown == printed
