"""Whatever stands in a file, `lightgate init` ends in a spec or in a message."""

import contextlib
import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightgate.errors import LightgateError
from lightgate.spec.parser import parse_spec
from lightgate_cli.translating.answering import Given, Questions, answer
from lightgate_cli.translating.build import build_spec
from lightgate_cli.translating.reading import read_source
from lightgate_cli.translating.recognizing import said_of
from lightgate_cli.translating.text import read_document
from lightgate_cli.translating.whole import write_whole

SOURCES = Path(__file__).parent / "sources"
FILES = sorted(path.name for path in SOURCES.iterdir() if path.suffix in (".json", ".yml"))
ODD = (None, [], {}, "", 0, -1, True, "x", ["x", 1], {"a": None}, [{}], "$X", 3.5, {"1": 2})


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each object or list below the value, with one of its keys."""
    found = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in list(found):
        yield value, key
        if isinstance(each, dict | list):
            yield from places(each)


@pytest.mark.parametrize("name", FILES)
def test_an_odd_value_anywhere_in_a_file_ends_in_a_message(name: str) -> None:
    good = read_document((SOURCES / name).read_bytes(), name).value
    chance = random.Random(name)  # noqa: S311 - only odd values
    given = Given(service="farm", repository="farm", database={"instance": "db"}, images={})
    for _ in range(40):
        document: Any = copy.deepcopy(good)
        owner, key = chance.choice(list(places(document)))
        owner[key] = copy.deepcopy(chance.choice(ODD))

        said_of(json.dumps(document).encode(), name, ["broken"])
        with contextlib.suppress(LightgateError):
            source = read_source(document, name, SOURCES, None, "farm")
            answers, _ = answer(source, given, Questions(may_ask=False))
            parse_spec(json.dumps(build_spec(source, answers).spec))


def test_yaml_that_contains_itself_ends_in_a_message() -> None:
    with pytest.raises(LightgateError, match="is YAML that cannot be read"):
        read_document(b"services: &all\n  web: *all\n", "compose.yml")


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "lightgate.json"
    path.write_text("mine")

    with pytest.raises(FileExistsError):
        write_whole(path, "new", replaces=False)

    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]
