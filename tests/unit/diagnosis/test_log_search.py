"""The command of a message that prints the lines of its evidence again."""

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.diagnosis.app_log import read_app_log
from lightgate.diagnosis.log_search import LogWindow, log_command
from local.lightsail.service.log_filter import compile_pattern
from tests.support.builders import RELEASE, gate_line
from tests.support.failed_release import symptoms

SINCE = datetime(2026, 11, 16, 1, 54, 34, tzinfo=UTC)
WINDOW = LogWindow(since=SINCE, until=SINCE + timedelta(minutes=3))
SECRET = "hunter2-of-the-tests"


def phrases(*lines: str, secrets: Sequence[str] = (SECRET,)) -> dict[str, str]:
    log = read_app_log("web", lines, version=8, release=RELEASE, secrets=secrets)
    return dict(log.phrases)


def pattern_for(raw: Sequence[str], *evidence: str) -> str | None:
    """The filter pattern of the command, as the shell passes it on."""
    log = read_app_log("web", raw, version=8, release=RELEASE, secrets=[SECRET])
    command = symptoms(logs={"web": log}, window=WINDOW).log_command("web", *evidence)
    assert command is not None
    words = shlex.split(command)
    return words[words.index("--filter-pattern") + 1] if "--filter-pattern" in words else None


def test_the_command_has_the_time_of_the_release() -> None:
    assert log_command("crops", "web", WINDOW, ["no barley"]) == (
        "aws lightsail get-container-log --service-name crops --container-name web "
        "--start-time 2026-11-16T01:54:34Z --end-time 2026-11-16T01:57:34Z "
        "--filter-pattern '\"no barley\"'"
    )


def test_without_evidence_the_command_prints_all_lines_of_the_release() -> None:
    assert "--filter-pattern" not in log_command("crops", "web", WINDOW)
    assert pattern_for(["bye"], "a line that has not arrived") is None


def test_a_release_without_a_deployment_has_no_log() -> None:
    assert symptoms(window=None).log_command("web", "no barley") is None


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        (
            "ModuleNotFoundError: No module named 'weather'",
            "ModuleNotFoundError: No module named",
        ),
        # The time differs on each start.
        ("[2026-11-16 01:56:02 +0000] [7] [ERROR] Worker failed", "Worker failed"),
        ("KeyError: 'SEASON'", "KeyError:"),
        (f"cannot reach postgres://crops:{SECRET}@db/crops today", "cannot reach"),
        (f"password={SECRET} is wrong", "is wrong"),
        ("\x1b[31mno\tbarley\x1b[0m is left", "barley"),
        ("keine Gerste für Müller übrig", "keine Gerste f"),
        (SECRET, None),
        ("…", None),
        ("xx", None),
        ("barley " * 20, "barley barley barley barley barley barley barley barley"),
    ],
)
def test_the_words_to_search_for_are_in_the_line_and_are_no_secret(
    line: str, phrase: str | None
) -> None:
    assert next(iter(phrases(line).values()), None) == phrase


def test_what_a_gate_reports_is_found_by_its_own_line() -> None:
    error = "cannot run 'gunicron': No such file or directory (ENOENT)"
    line = gate_line("failed", container="web", cause="exec", error=error)

    pattern = pattern_for([line], error)

    assert pattern == '"No such file or directory (ENOENT)"'
    assert compile_pattern(pattern)(line)


def test_lightsails_own_lines_are_found() -> None:
    line = "[deployment:8] Took too long"

    assert pattern_for([line], "Took too long") == f'"{line}"'


def test_several_lines_are_found_by_either_of_their_words() -> None:
    raw = ["licence expired", "bye", "bye now", "other"]

    pattern = pattern_for(raw, "licence expired", "bye now")

    assert pattern == '?"licence expired" ?"bye now"'
    assert [line for line in raw if compile_pattern(pattern)(line)] == [
        "licence expired",
        "bye now",
    ]


def test_evidence_of_several_lines_is_found_by_words_of_one() -> None:
    raw = ["Migrations for 'crops':", "  crops/migrations/0008_crop_note.py", "    + Add field a"]

    pattern = pattern_for(raw, "Migrations for 'crops': crops/migrations/0008_crop_note.py")

    assert pattern == '"crops/migrations/0008_crop_note.py"'


_TEXTS = st.text(
    st.sampled_from(" abz09_.,:;/=()[]@#+-?*!%\"'\\{}$`|<>&~^\t\x1b\x85é…") | st.characters(),
    max_size=80,
)


@given(before=_TEXTS, after=_TEXTS, has_secret=st.booleans())
def test_whatever_a_line_is_lightsail_takes_the_pattern_and_finds_the_line(
    before: str, after: str, *, has_secret: bool
) -> None:
    raw = f"{before}{SECRET if has_secret else ''}{after}"
    log = read_app_log("web", [raw], version=8, release=RELEASE, secrets=[SECRET])

    for shown in log.lines:
        pattern = pattern_for([raw], shown)
        if pattern is not None:
            assert compile_pattern(pattern)(raw)
            assert SECRET not in pattern
            assert pattern.strip('"') in shown
