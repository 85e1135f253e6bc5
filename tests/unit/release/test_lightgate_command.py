"""The commands that messages name: each starts what the execution input asks for."""

import pytest

from lightgate.release.lightgate_command import lightgate_command, resume_command

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


def test_a_command_names_a_stack_that_is_not_the_usual_one() -> None:
    run = {"app": "crops", "tag": "v3", "command": ["ls"]}

    assert lightgate_command(OTHER, run) == "lightgate run crops --image v3 --stack shop -- ls"
    assert resume_command(OTHER, "crops") == "lightgate resume crops --stack shop"
