"""Each file in wrong_specs/ is a spec that somebody might write, with what they are told."""

import re
from pathlib import Path

import pytest

from lightgate.errors import SpecError
from lightgate.spec.parser import parse_spec

CORPUS = sorted((Path(__file__).parent / "wrong_specs").glob("*.json"))


def test_the_corpus_is_there_and_every_file_has_its_messages() -> None:
    expected = [path.with_suffix(".txt").name for path in CORPUS]

    assert expected == sorted(path.name for path in CORPUS[0].parent.glob("*.txt"))
    assert len(CORPUS) >= 80


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_wrong_spec_is_refused_with_every_problem(path: Path) -> None:
    expected = path.with_suffix(".txt").read_text("utf-8").splitlines()

    with pytest.raises(SpecError) as caught:
        parse_spec(path.read_bytes())

    assert expected == list(caught.value.reasons)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_message_names_its_place_and_fits_on_a_few_lines(path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(path.read_bytes())

    for reason in caught.value.reasons:
        assert re.match(r"(the spec|[\w.\[\]/-]*(\"[^\"]*(\"|…))?): .{10}", reason)
        assert reason.isprintable()
        assert len(reason) <= 500


@pytest.mark.parametrize("name", ["secrets-plain-value", "verification-write-header-line-break"])
def test_no_message_repeats_what_may_be_a_secret(name: str) -> None:
    document = (CORPUS[0].parent / f"{name}.json").read_text()

    with pytest.raises(SpecError) as caught:
        parse_spec(document)

    assert "hunter2" in document
    assert "hunter2" not in str(caught.value)
