"""Which tests `make test ONLY=...` runs."""

from pathlib import PurePosixPath

import pytest

from tests.only import found, main

FILES = [
    PurePosixPath("tests", name)
    for name in (
        "component/test_turns.py",
        "gate/test_order.py",
        "unit/gate/test_log.py",
        "unit/gate/programs/test_main.py",
        "unit/test_turn.py",
    )
]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("gate", ["tests/gate", "tests/unit/gate"]),
        ("unit/gate", ["tests/unit/gate"]),
        ("tests/component/", ["tests/component"]),
        ("turn", ["tests/component/test_turns.py", "tests/unit/test_turn.py"]),
        ("unit/test_turn.py", ["tests/unit/test_turn.py"]),
        ("late", []),
    ],
)
def test_a_folder_is_found_by_its_name_and_a_file_by_a_part_of_its_path(
    only: str, expected: list[str]
) -> None:
    assert found(only, FILES) == expected


def test_where_nothing_is_found_the_message_lists_the_folders(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["no-such-package"]) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert "'no-such-package'" in said.err
    assert "component, " in said.err
    assert "unit" in said.err


def test_without_a_choice_everything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0

    assert capsys.readouterr().out == "tests\n"
