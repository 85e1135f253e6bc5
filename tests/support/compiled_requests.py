"""Requests as they are compiled from a spec, and what they tell the gates."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from lightgate.deployment.compiler import ImageSource, compile_deployment
from lightgate.gate.config_defaults import NESTED_DEFAULTS
from lightgate.gate.packaging import HELPERS, program_text
from lightgate.gate.programs.supervisor.config import DEFAULTS
from tests.support.builders import RELEASE, Json, app_spec, compiled_secrets, parse, source


def compiled(
    document: Json | None = None, image: ImageSource | None = None, **changes: Any
) -> Json:
    spec = parse(document) if document is not None else app_spec(**changes)
    return compile_deployment(spec, image or source(), RELEASE, compiled_secrets(spec))


def gate_config(container: Json) -> Json:
    """What the gate in front of a container's command is told, wherever its program comes from."""
    command = container["command"]
    assert command[1:2] == ["-ISc"]
    return whole_config(
        read_config_text(next(word for word in command if word.startswith("{'release':")))
    )


def read_config_text(text: str) -> Json:
    config: Json = json.loads(text.translate({ord("'"): '"', ord('"'): "'"}))
    return config


def whole_config(config: Json) -> Json:
    """With what the supervisor assumes where nothing is said; that of a waiter is whole."""
    if "port" not in config:
        return config
    nested = {
        k: {**v, **config[k]} for k, v in NESTED_DEFAULTS.items() if config.get(k) is not None
    }
    return {**DEFAULTS, **config, **nested}


def own_command(container: Json) -> list[str]:
    """What the gate starts, or becomes: all behind what its program is told."""
    command: list[str] = container["command"]
    told = next(n for n, word in enumerate(command) if word.startswith("{'release':"))
    # What a loader is told comes between, or the texts of the helpers.
    if command[2] == program_text("loader"):
        return command[told + 4 :]
    config = whole_config(read_config_text(command[told]))
    is_distributor = command[2] == program_text("distributor")
    helpers = 0 if is_distributor else sum(config.get(key) is not None for key in HELPERS)
    return command[told + 1 + helpers :]


def assert_same_texts(found: Iterable[str], *expected: str) -> None:
    """By their hashes: the difference of two long lines takes pytest minutes to draw."""
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in expected]
    assert [hashlib.sha256(text.encode()).hexdigest() for text in found] == hashes
