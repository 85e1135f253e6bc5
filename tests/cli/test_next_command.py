"""The commands that an output names, and what a terminal gets of what others have written."""

import json
import re
from collections.abc import Iterator

import click
import pytest
from rich.text import Text

from lightgate_cli import next_command, output, terminal
from lightgate_cli.connection import Target
from lightgate_cli.json_output import print_json
from lightgate_cli.logs import printable
from lightgate_cli.main import main

CHOSEN = Target(profile="ops", region="eu-central-1", stack="shop")
OF_AWS = " --profile ops --region eu-central-1"
OPTIONS = f"{OF_AWS} --stack shop"
# Colors, the title of a window, the clipboard, a line that overwrites itself, and C1.
HOSTILE = "a\x1b[31mb\x1b]0;title\x07c\rd\x08e\x9bf\x7f\n\u2028g"


@pytest.fixture
def running() -> Iterator[None]:
    """A command that the user has called with options."""
    with click.Context(main):
        next_command.remember(CHOSEN.options, CHOSEN.aws_options)
        yield


def test_every_command_with_these_options_gets_them_and_no_other() -> None:
    with click.Context(main) as context:
        commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    connected = {
        name
        for name, command in commands.items()
        if command is not None and "profile" in {each.name for each in command.params}
    }

    assert set(next_command.CONNECTED) == connected


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lightgate show v3", f"lightgate show{OPTIONS} v3"),
        ("lightgate run a -- lightgate x", f"lightgate run{OPTIONS} a -- lightgate x"),
        ("To resume: lightgate resume a", f"To resume: lightgate resume{OPTIONS} a"),
        ("lightgate validate shows every problem.", "lightgate validate shows every problem."),
        ("snapshot lightgate-crops-1", "snapshot lightgate-crops-1"),
        (
            "V=$(aws rds start-x --a b) && aws ecr y",
            f"V=$(aws{OF_AWS} rds start-x --a b) && aws{OF_AWS} ecr y",
        ),
        ("aws configure list-profiles shows them.", "aws configure list-profiles shows them."),
        ("arn:aws:states:us-east-1:1:x aws", "arn:aws:states:us-east-1:1:x aws"),
    ],
)
def test_the_next_command_gets_the_options_of_this_one(
    text: str, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [line] = output.labelled("Next", text, width=None)
    output.print_lines([text])
    terminal.tell(text)
    terminal.error(text)

    assert line.plain == f"Next         {found}"
    shown = capsys.readouterr()
    assert shown.out == f"{found}\n"
    assert shown.err == f"{found}\nerror: {found}\n"


@pytest.mark.usefixtures("running")
def test_json_has_the_same_commands_as_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    step, told = "Then: lightgate show v3", f"Then: lightgate show{OPTIONS} v3"

    print_json({"record": {"nextSteps": [step]}, "findings": [{"fix": [step]}], "commands": [step]})

    assert json.loads(capsys.readouterr().out) == {
        "record": {"nextSteps": [told]},
        "findings": [{"fix": [told]}],
        "commands": [told],
    }


@pytest.mark.usefixtures("running")
def test_json_leaves_what_the_app_has_written_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    written = {"containers": {"web": ["run lightgate show v3"]}, "text": "lightgate show v3"}

    print_json(written)

    assert json.loads(capsys.readouterr().out) == written


def test_a_failure_is_red_on_each_of_its_lines() -> None:
    text = output.word("FAILED").append(": " + "a word " * 20)

    shown = output.labelled("", text, width=80, column=0)

    assert len(shown) > 1
    assert {str(span.style) for line in shown for span in line.spans} == {"red"}


def test_the_shell_chooses_the_local_cloud_for_the_aws_cli() -> None:
    assert Target(local=True, stack="shop").options == " --stack shop --local"
    assert Target(local=True, stack="shop").aws_options == ""


def test_without_options_the_next_command_has_none() -> None:
    assert Target().options == ""
    assert next_command.with_options("lightgate show v3") == "lightgate show v3"


def test_what_others_have_written_stays_one_line_that_no_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.print_lines([HOSTILE, Text(HOSTILE, style="red")])
    output.print_lines(output.table(["A", "B"], [[HOSTILE, "x"]], width=None))
    output.print_lines(output.labelled("Cause", HOSTILE, width=80))
    terminal.error(HOSTILE)
    terminal.tell(HOSTILE)
    click.echo(printable(HOSTILE + "\tend"))

    shown = capsys.readouterr()
    lines = (shown.out + shown.err).split("\n")
    assert len(lines) == 11
    assert all(re.fullmatch(r"[ -~\t]*", line) for line in lines), lines
    assert "\tend" in shown.out
