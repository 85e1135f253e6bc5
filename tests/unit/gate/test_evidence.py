"""The line that a gate reports as the reason of its command's failure."""

import pytest

from lightgate.gate.evidence import exceptions, find_evidence

_CONFLICT = (
    "CommandError: Conflicting migrations detected; multiple leaf nodes in the migration graph: "
    "(0007_left, 0007_right in crops)."
)


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ([_CONFLICT, "To fix them run 'python manage.py makemigrations --merge'"], _CONFLICT),
        (
            [
                "Migrations for 'crops':",
                "  crops/migrations/0008_crop_note.py",
                "    + Add field x",
            ],
            "Migrations for 'crops': crops/migrations/0008_crop_note.py",
        ),
        (
            [
                "SystemCheckError: System check identified some issues:",
                "",
                "ERRORS:",
                "crops.Crop.a: (fields.E304) Reverse accessor clashes",
                "\tHINT: Add or change a related_name argument: https://docs.example/",
                "",
                "WARNINGS:",
                "?: (urls.W005) URL namespace is not unique",
                "",
                "System check identified 2 issues (0 silenced).",
            ],
            "crops.Crop.a: (fields.E304) Reverse accessor clashes",
        ),
        (
            [
                "SystemCheckError: System check identified some issues:",
                "",
                "WARNINGS:",
                "?: (security.W004) You have not set a value for the HSTS setting.",
                "",
                "System check identified 1 issue (0 silenced).",
            ],
            "?: (security.W004) You have not set a value for the HSTS setting.",
        ),
        (
            [
                *("Traceback (most recent call last):", "ValueError: no barley", ""),
                *("Traceback (most recent call last):", "ValueError: Unable to configure handler"),
            ],
            "ValueError: no barley",
        ),
        (["CommandError: no barley", "DEBUG closing the pool"], "CommandError: no barley"),
        (["no barley left", "DEBUG closing", "HINT: https://x.example"], "no barley left"),
        (
            ["no barley left", "2026-11-22 19:03:26,123 DEBUG crops: closing the pool"],
            "no barley left",
        ),
        (
            ["Unknown command: 'tidy_cropz'", "Type 'manage.py help'."],
            "Unknown command: 'tidy_cropz'",
        ),
        (
            [
                "usage: manage.py tidy",
                "manage.py tidy: error: unrecognized arguments: --al",
                "see docs",
            ],
            "manage.py tidy: error: unrecognized arguments: --al",
        ),
        (["DEBUG only this"], "DEBUG only this"),
    ],
)
def test_the_evidence_is_the_error_and_not_the_last_line(lines: list[str], shown: str) -> None:
    assert find_evidence(lines, lines[-1]) == shown


def test_a_later_error_explains_more_than_an_exception_before_it() -> None:
    lines = [
        "Traceback (most recent call last):",
        "KeyError: 'cache'",
        "CommandError: no barley",
        "bye",
    ]

    assert find_evidence(lines, "KeyError: 'cache'") == "CommandError: no barley"


@pytest.mark.parametrize(
    "lines",
    [
        ["Traceback (most recent call last):", "crops.NoBarley: none is left", "bye"],
        ["crops.NoBarley: none is left", "bye"],  # the traceback began before these
    ],
)
def test_an_exception_of_any_name_is_the_evidence(lines: list[str]) -> None:
    assert find_evidence(lines, "crops.NoBarley: none is left") == "crops.NoBarley: none is left"


@pytest.mark.parametrize("lines", [[], ["", "  "], ["another line"]])
def test_what_the_gate_reports_stands_if_its_lines_show_no_more(lines: list[str]) -> None:
    assert find_evidence(lines, "exit code 3") == "exit code 3"


@pytest.mark.parametrize("mark", ["12:00:01 web.1    | ", "web_1  | ", "2026-11-30T10:00:00.123Z "])
def test_an_exception_is_found_behind_the_mark_of_a_process_manager(mark: str) -> None:
    lines = [
        "Traceback (most recent call last):",
        '  File "/app/manage.py", line 3, in <module>',
        "KeyError: 'barley'",
    ]

    assert exceptions([mark + line for line in lines]) == [mark + lines[-1]]
