"""The filter patterns that the emulator knows; it refuses all others."""

import pytest

from local.lightsail.errors import ApiError
from local.lightsail.service.log_filter import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("", ["anything"], []),
        ("ERROR", ["an ERROR"], ["an error"]),
        ("-ERROR", ["fine"], ["an ERROR"]),
        ("ERROR Exception", ["Exception: ERROR"], ["ERROR"]),
        ("ERROR -retry", ["ERROR"], ["ERROR retry"]),
        ('"[deployment:3] Took" -long', ["[deployment:3] Took"], ["[deployment:3] Took too long"]),
        ("lightgate", ['{"lightgate": 1}'], ["another line"]),
        ('?ERROR ?"no barley"', ["an ERROR", "there is no barley"], ["no wheat, no  barley"]),
        ("?ERROR", ["an ERROR"], ["fine"]),
    ],
)
def test_words_and_phrases_select_lines(pattern: str, yes: list[str], no: list[str]) -> None:
    matches = compile_pattern(pattern)
    assert all(map(matches, yes))
    assert not any(map(matches, no))


@pytest.mark.parametrize(
    "pattern",
    [
        *('"open', "a-b", 'a"b"', "-", "--a", '""', r'"a \" b"', "x" * 2000),
        *(
            "?ERROR Exception",
            "?ERROR -retry",
            "?-a",
            "??a",
            "?",
            "%v[0-9]+%",
            "{ $.lightgate = 1 }",
            "[a, b]",
        ),
        *("a " * 500 + "?", '"a' * 500),
    ],
)
def test_any_other_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ApiError, match="filter pattern"):
        compile_pattern(pattern)
