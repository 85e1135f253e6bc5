"""What the layer keeps of botocore, which describes every service of AWS."""

import re
from pathlib import Path

CORE = Path(__file__).resolve().parents[2] / "layers" / "core"


def test_the_layer_describes_exactly_the_services_that_clients_are_made_for() -> None:
    makefile = (CORE / "Makefile").read_text()
    sources = "".join(path.read_text() for path in (CORE / "lightgate").rglob("*.py"))

    [kept] = re.findall(r"^SERVICES := (.*)$", makefile, re.MULTILINE)

    made = set(re.findall(r'(?:make_client|untyped\.client)\(\s*"([a-z0-9]+)"', sources))
    assert set(kept.split()) == made
