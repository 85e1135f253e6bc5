"""The commands that messages name: each starts what the execution input asks for."""

import pytest

from lightgate.release.lightgate_command import (
    how_to_start,
    lightgate_command,
    resume_command,
    ways_to_start,
)
from lightgate.release.start_command import start_command

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:lightgate-release:crops-1"
OTHER = EXECUTION.replace("lightgate-release", "shop-release")


@pytest.mark.parametrize(
    ("request_input", "command"),
    [
        ({"app": "crops"}, "lightgate release crops"),
        ({"app": "crops", "tag": "v3"}, "lightgate release crops --tag v3"),
        (
            {"app": "crops", "digest": "sha256:ab12", "skipSnapshot": True},
            "lightgate release crops --digest sha256:ab12 --skip-snapshot",
        ),
        (
            {"app": "crops", "rollbackTo": 5, "allowDestructive": True},
            "lightgate rollback crops --to 5 --allow-destructive",
        ),
        ({"app": "crops", "command": ["ls"]}, "lightgate run crops -- ls"),
        (
            {"app": "crops", "tag": "v3", "command": ["python", "-c", "print(1)"]},
            "lightgate run crops --image v3 -- python -c 'print(1)'",
        ),
    ],
)
def test_a_command_asks_for_the_same_as_the_input(
    request_input: dict[str, object], command: str
) -> None:
    assert lightgate_command(EXECUTION, request_input) == command


def test_both_commands_are_named_unless_one_of_them_cannot_be_copied() -> None:
    request: dict[str, object] = {"app": "crops", "tag": "v3"}
    broken = {**request, "command": ["python", "-c", "a = 1\nprint(a)"]}

    told = how_to_start(EXECUTION, request)

    with_cli, without = ways_to_start(EXECUTION, request)
    assert told == f"{with_cli} {without}"
    assert with_cli == "lightgate release crops --tag v3"
    assert without == f"(without the CLI: {start_command(EXECUTION, request)})"
    # A message shows a space in the place of a line break.
    assert how_to_start(EXECUTION, broken) == start_command(EXECUTION, broken)


def test_a_command_names_a_stack_that_is_not_the_usual_one() -> None:
    run = {"app": "crops", "tag": "v3", "command": ["ls"]}

    assert lightgate_command(OTHER, run) == "lightgate run crops --image v3 --stack shop -- ls"
    assert resume_command(OTHER, "crops") == "lightgate resume crops --stack shop"
