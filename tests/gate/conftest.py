from collections.abc import Iterator

import pytest

from tests.gate.programs import INTERPRETERS, House


@pytest.fixture(params=list(INTERPRETERS))
def any_python(request: pytest.FixtureRequest) -> str:
    executable = INTERPRETERS[request.param]
    if executable is None:
        pytest.skip(f"Python {request.param} is not installed here")
    return executable


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()
