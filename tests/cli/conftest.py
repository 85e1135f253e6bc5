import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightgate_cli.main import main
from tests.cli.calls import Said, StandardInput
from tests.gate.programs import Runner
from tests.local.fixtures import database, database_server

__all__ = ["database", "database_server"]


@pytest.fixture
def lightgate(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    def call(*arguments: object, stdin: bytes = b"") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(StandardInput(stdin)))
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments], prog_name="lightgate")
        output, errors = capsysbinary.readouterr()
        code = end.value.code
        assert isinstance(code, int)
        return Said(code, output.decode(), errors.decode().splitlines())

    return call


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(document: object, name: str = "containers-with-migrations.json") -> Path:
        path = tmp_path / name
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        path.write_bytes(text)
        return path

    return write


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.close()
