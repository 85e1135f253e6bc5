"""Images that cannot become others."""

import pytest

from lightgate.deployment.pinning import is_pinned
from tests.support.builders import DIGEST

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/crops-backend"
PINNED = f"{ECR}:lightgate-7f5b2640fe6f"


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        (PINNED, True),
        (f"{ECR}@{DIGEST}", True),
        (f"{ECR}:lightgate-7f5b2640fe6f@{DIGEST}", True),
        (":crops.web.12", True),
        (f"{ECR}:latest", False),
        (f"{ECR}:lightgate-latest", False),
        (ECR, False),
        (":crops.web.latest", False),
        ("nginx:1.27", False),
        ("user/app:v1", False),
        ("", False),
    ],
)
def test_only_what_cannot_move_is_pinned(image: str, pinned: bool) -> None:
    assert is_pinned(image) is pinned
