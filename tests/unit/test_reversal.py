"""How migrations are taken back."""

import pytest

from lightgate.reversal import reversals


@pytest.mark.parametrize(
    ("migrations", "expected"),
    [
        ([], []),
        (["harvests.0005_a", "harvests.0006_b"], [("harvests", "0004")]),
        (["harvests.0001_initial"], [("harvests", "zero")]),
        (["a.0003_x", "b.0002_y"], [("a", "0002"), ("b", "0001")]),
        (["harvests.add_season"], []),
    ],
)
def test_migrations_are_taken_back_to_the_one_before_the_first(
    migrations: list[str], expected: list[tuple[str, str]]
) -> None:
    assert reversals(migrations) == expected
