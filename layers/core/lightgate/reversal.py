"""The commands that take migrations back, as executions that a person can start."""

import re
from collections.abc import Sequence

_NUMBERED = re.compile(r"(\w+)\.(\d{4})_\w*")


def reversals(migrations: Sequence[str]) -> Sequence[tuple[str, str]]:
    """For each Django app the migration to go back to, so that all of these are taken back.

    A migration without a number has no predecessor that its name would tell, and is left out.
    """
    found: dict[str, int] = {}
    for name in migrations:
        if numbered := _NUMBERED.fullmatch(name):
            label, number = numbered[1], int(numbered[2])
            found[label] = min(number, found.get(label, number))
    return [(label, f"{n - 1:04}" if n > 1 else "zero") for label, n in found.items()]


def take_back(app: str, digest: str | None, migrations: Sequence[str]) -> Sequence[str]:
    """The executions that take the migrations back, where they can be; the image must have them."""
    if digest is None:
        return []
    return [
        f'{{"app": "{app}", "digest": "{digest}", "command": '
        f'["python", "manage.py", "migrate", "{label}", "{name}"]}}'
        for label, name in reversals(migrations)
    ]
