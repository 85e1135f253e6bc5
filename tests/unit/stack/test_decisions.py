"""Each decision is one file, with its number and its title, and the index lists them all."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "docs" / "decisions"
FILES = sorted(FOLDER.glob("[0-9]*.md"))


def _title(file: Path) -> str:
    return file.read_text("utf-8").partition("\n")[0].removeprefix("# ")


def test_the_number_of_a_file_is_that_of_its_title_and_no_other_file_has_it() -> None:
    numbers = [int(file.name[:3]) for file in FILES]

    assert numbers == [int(_title(file).partition(".")[0]) for file in FILES]
    assert len(numbers) == len(set(numbers))


def test_the_index_has_a_line_for_each_decision_in_order() -> None:
    index = (FOLDER / "README.md").read_text("utf-8")
    lines = re.findall(r"^- .*$", index, re.MULTILINE)

    assert lines == [f"- [{_title(file)}]({file.name})" for file in FILES]


def test_each_decision_gives_its_reason() -> None:
    assert [file.name for file in FILES if "**Why.**" not in file.read_text("utf-8")] == []
