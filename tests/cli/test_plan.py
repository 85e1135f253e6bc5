"""The summary of `lightgate plan`, for each example spec."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lightgate_cli.plan import summary
from tests.cli.calls import Said
from tests.cli.golden import PIPE, TERMINAL, assert_fits_a_terminal, assert_golden
from tests.support.builders import parse
from tests.support.spec_examples import EXAMPLES, example


@pytest.mark.parametrize("width", [TERMINAL, PIPE], ids=["terminal", "pipe"])
@pytest.mark.parametrize("name", ["smallest", "full", "staging"])
def test_the_summary_reads_as_its_golden_file(name: str, width: int | None) -> None:
    lines = summary(parse(example(f"specs/{name}.json")), {"serviceName": "x"}, None, width=width)

    assert_golden(f"plan-{name}-{'pipe' if width is PIPE else 'terminal'}", lines)
    if width is not PIPE:
        assert_fits_a_terminal(lines, but=("@sha256:",))


def test_the_request_follows_the_summary_only_if_it_is_asked_for(
    lightgate: Callable[..., Said], written: Callable[..., Path]
) -> None:
    path = written(EXAMPLES["full"])

    short, full = lightgate("plan", path).output, lightgate("plan", path, "--full").output

    assert short.startswith("Deployment of the container service crops-backend (production)\n")
    assert full == f"{short}\n{lightgate('plan', path, '--json').output}"
