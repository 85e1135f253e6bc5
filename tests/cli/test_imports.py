"""A command imports nothing that it has no use for: most of its time is that of its imports."""

import subprocess
import sys
from collections.abc import Iterable

import click
import pytest

from lightgate_cli.main import main

# Each takes longer to import than Python to start.
_HEAVY = ("boto3", "s3transfer", "botocore", "rich", "jinja2", "yaml", "multiprocessing")
_USES = {
    "validate": (),
    "check": (),
    "plan": ("rich",),
    "report": ("botocore", "rich", "jinja2"),
    "init": ("botocore", "yaml"),
    "logs": ("botocore",),
}


def commands() -> list[str]:
    with click.Context(main) as context:
        return main.list_commands(context)


def imported(code: str, names: Iterable[str] = _HEAVY) -> set[str]:
    """Those of the modules that a new Python has after the code."""
    program = f"import sys\n{code}\nprint(*{{*{[*names]!r}}} & {{*sys.modules}})"
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return set(ran.stdout.split())


@pytest.mark.parametrize("name", commands())
def test_a_command_imports_only_what_it_uses(name: str) -> None:
    load = (
        "import click\nfrom lightgate_cli.main import main\n"
        f"main.get_command(click.Context(main), {name!r})"
    )

    assert imported(load) <= {*_USES.get(name, ("botocore", "rich"))}


def test_the_help_and_a_wrong_word_import_no_client_of_aws() -> None:
    for word in ("--version", "nonsense"):
        load = (
            "from lightgate_cli.main import main\n"
            f"try: main([{word!r}])\nexcept SystemExit: print()"
        )
        assert imported(load) & {*_HEAVY} == set()
