"""Lightgate takes no line of an app for a report of its gate, and no report shows a secret."""

import json
import os
import re
import sys
from typing import Any

import pytest

from lightgate.gate.gate_report import Phase
from lightgate.gate.log_lines import events
from lightgate.gate.report_reader import read_gate_report
from local.lightsail.node.output_lines import LineCollector
from tests.gate.programs import RELEASE, Program, Runner, eventually, shell

FORGED = json.dumps(
    {"lightgate": 1, "release": RELEASE, "container": "migrate", "event": "succeeded"}
)
BEGINNING = b'{"lightgate"'
# One byte less than what a log keeps as one line.
LONG = b"x" * (256 * 1024 - 1)


def printing(*pieces: str, pause: float = 0, stream: str = "stdout") -> list[str]:
    """A command that writes these pieces, and fails.

    In them LINE is the forged one, REST what comes after its eighth byte, and LONG very long.
    """
    code = f"""
import os, sys, time
line = os.environb[b"LINE"]
for piece in {pieces!r}:
    data = piece.encode("latin-1").replace(b"LONG", b"x" * {len(LONG)})
    data = data.replace(b"LINE", line).replace(b"REST", line[8:])
    sys.{stream}.buffer.write(data)
    sys.{stream}.flush()
    time.sleep({pause})
sys.exit(3)
"""
    return [sys.executable, "-I", "-S", "-c", code]


def run(runner: Runner, command: list[str], **config: Any) -> Program:
    program = runner.supervisor(
        command,
        afterFailure="exit",
        options={"env": {**os.environ, "LINE": FORGED}},
        **config,
    )
    assert program.ends() == 3
    return program


def lines_of(output: bytes) -> list[str]:
    """The lines as the log keeps them, which splits what is too long."""
    lines: list[str] = []
    collector = LineCollector(lines.append, lambda: 0.0)
    for start in range(0, len(output), 4096):
        collector.feed(output[start : start + 4096])
    collector.feed(b"")
    return lines


def check_the_gate_alone_is_heard(program: Program) -> None:
    for lines in (program.output.decode("utf-8", "replace").split("\n"), lines_of(program.output)):
        evidence = read_gate_report(RELEASE, {"migrate": lines})
        assert evidence.phase is Phase.FAILED
        assert evidence.failure is not None
        assert evidence.failure.exit_code == 3
        kinds = [event["event"] for event in events(RELEASE, "migrate", lines)]
        assert kinds == ["applying", "failed"]
    # Wherever a log splits a line, what is behind it is no report.
    for found in re.finditer(re.escape(BEGINNING), program.output):
        before = program.output[: found.start()]
        assert before.endswith((b"\n", b"\n|")) or not before


SCRIPTS = {
    "alone": ("LINE\n",),
    "first thing": ("LINE",),
    "behind words": ("words LINE\n",),
    "behind a tab": ("\tLINE\n",),
    "behind a byte order mark": ("\xef\xbb\xbfLINE\n",),
    "behind a carriage return": ("50%\rLINE\r\n",),
    "behind a colour": ("\x1b[31mLINE\x1b[0m\n",),
    "behind another document": ('{"a": LINELINE\n',),
    "behind an unfinished line": ("half", "LINE\n"),
    "in two pieces": ('{"light', "REST\n"),
    "byte by byte": (*'{"light', "REST\n"),
    "at the end of a long line": ("LONGLINE\n",),
    "at the end of a longer line": ("LONGxLONGLINE\n",),
    "many on a long line": ("LINE," * 9000 + "\n",),
    "with bytes that are no text": ('{\xff"light\xfeREST\n',),
    "with zero bytes": ('\x00{\x00"\x00light\x00REST\n',),
    "with colours inside": ('{\x1b[0m"li\x1b[1;31mght\x1b[mREST\n',),
    "with much inside": ("{" + "\x80" * 99 + '"lightREST\n',),
    "with bytes inside, in pieces": ("{\x1b[", '0m"li', "\xffght", "REST\n"),
}


@pytest.mark.representatives(8)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_line_of_a_command_is_a_report(runner: Runner, script: str, stream: str) -> None:
    pieces = SCRIPTS[script]
    pause = 0.15 if 1 < len(pieces) < 5 else 0

    program = run(runner, printing(*pieces, pause=pause, stream=stream))

    check_the_gate_alone_is_heard(program)


def test_no_line_of_a_probe_is_a_report(runner: Runner) -> None:
    check = {"command": printing("LINE\n"), "interval": 0, "timeout": 5, "retries": 0,
             "startPeriod": 0}  # fmt: skip
    program = runner.supervisor(
        shell("true"),
        afterFailure="exit",
        healthCheck=check,
        options={"env": {**os.environ, "LINE": FORGED}},
    )

    assert program.ends() == 1
    assert [event["event"] for event in program.events] == ["failed"]


def test_a_line_that_two_commands_write_together_is_no_report(runner: Runner) -> None:
    """One ends in the middle of it, and the next one writes what is left."""
    program = run(runner, printing("REST\n"), before=[shell("printf '{\"light'")])

    check_the_gate_alone_is_heard(program)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}\n{',
        '{"lightgat": 1}\n',
        "{\x1b[0m}\n",
        "{" + "\xff" * 5000 + "\n",
        "LONG\n",
        "\x1b[31mred\x1b[0m\r\n",
    ],
)
def test_everything_else_is_passed_on_as_it_is(runner: Runner, text: str) -> None:
    program = run(runner, printing(text))

    written = text.encode("latin-1").replace(b"LONG", LONG)
    assert written.rstrip(b"\n") in program.command_output


KEY = 'hun/ter2 "of" the\'tests'


@pytest.mark.parametrize("shown", [KEY, json.dumps(KEY)[1:-1], repr(KEY)[1:-1]])
def test_a_secret_is_in_no_field_of_any_report(runner: Runner, shown: str) -> None:
    code = f"""
import sys
print("  Applying " + {shown.replace(" ", "")!r} + ".0001_a... OK")
print("  Applying a.0002_" + {shown!r})
sys.exit(3)
"""
    program = runner.supervisor(
        [sys.executable, "-I", "-S", "-c", code],
        afterFailure="exit",
        secretNames=["KEY", "SHORT"],
        options={"env": {**os.environ, "KEY": KEY, "SHORT": KEY.replace(" ", "")}},
    )
    assert program.ends() == 3
    eventually(lambda: bool(program.named("failed")), "no end", program)

    told = json.dumps(program.events, ensure_ascii=False)
    assert "***" in told
    for word in ("hun/", "ter2", "the'tests"):
        assert word not in told
