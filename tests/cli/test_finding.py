"""Which release a person means by an id, a tag or a digest."""

import pytest

from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.finding import chosen, matching
from tests.cli import releases
from tests.cli.releases import BACK, V3, V21, V22, record

AGAIN = "20261129t091200z-7849e651-cccc"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (V3, V3),
        ("20261129t091001z", V3),
        ("20261129t091001z-7849", V3),
        ("20261129t090950z", V22),
        (BACK, BACK),
        ("v3", AGAIN),
        ("v2.1", V21),
        ("7849e651f691", AGAIN),
        ("sha256:7849e6", AGAIN),
        (releases.digest(V3), AGAIN),
    ],
)
def test_a_release_is_found_by_what_people_call_it(text: str, found: str) -> None:
    history = [record(AGAIN, "v3", "REFUSED"), *releases.demo()]

    assert chosen(text, matching(text, history)).release == found


@pytest.mark.parametrize("text", ["v9", "20261130t", "7849e6", "sha256:000000", "latest"])
def test_what_nothing_matches_is_not_found(text: str) -> None:
    with pytest.raises(CommandError) as error:
        chosen(text, matching(text, releases.demo()))

    assert error.value.problem is Problem.NOT_FOUND
    assert error.value.problem.exit_code == 1


def test_a_beginning_of_several_ids_names_them() -> None:
    with pytest.raises(CommandError, match="can mean 5 releases: 20261129t091001z-7849e651-b597 o"):
        chosen("20261129t09", matching("20261129t09", releases.demo()))


def test_a_tag_of_two_apps_is_ambiguous() -> None:
    other = record(V3, "v3", "SUCCEEDED", app="herd-api")

    with pytest.raises(CommandError) as error:
        chosen("v3", [*matching("v3", releases.demo()), other])

    assert error.value.problem is Problem.AMBIGUOUS
    assert error.value.problem.exit_code == 2


def test_a_tag_that_looks_like_a_digest_is_a_tag() -> None:
    tagged = record(AGAIN, "7849e651f691", "SUCCEEDED", digest="sha256:" + "1" * 64)

    assert matching("7849e651f691", [*releases.demo(), tagged]) == [tagged]
