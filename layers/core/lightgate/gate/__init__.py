"""The programs that travel with a deployment and run inside the user's own image.

They are sent as source text (`python3 -I -S -c SOURCE CONFIG COMMAND ...`): each file stands alone
and runs on any Python from 3.8 on. Nothing here imports them, but for the supervisor's `parts` and
`mask`, so that what counts as secret is the same on both sides. What travels are the minified texts
in `travelling`, which `make gate` writes. The text of the Django helper stands between CONFIG and
COMMAND when, and only when, CONFIG has the key `django`; after it comes that of the courier, when
CONFIG has `mailbox`.
"""

from importlib.resources import files

PROGRAMS = ("supervisor", "waiter", "django_helper", "courier", "carrier", "loader")


def supervisor_source() -> str:
    """For a container that others wait for: runs its command and tells them how it went."""
    return _travelling("supervisor")


def waiter_source() -> str:
    """For a container that only waits: becomes its command when the others have got there."""
    return _travelling("waiter")


def django_helper_source() -> str:
    """For the supervisor of a Django app: reads the plan, and keeps the lock."""
    return _travelling("django_helper")


def courier_source() -> str:
    """For the supervisor of a release with a mailbox: brings its letters, asks for the permit."""
    return _travelling("courier")


def carrier_source() -> str:
    """For the one container that brings the programs for all, where there are many."""
    return _travelling("carrier")


def loader_source() -> str:
    """For the others then: gets its program from the carrier and becomes it."""
    return _travelling("loader")


def _travelling(name: str) -> str:
    return files(__name__).joinpath("travelling", f"{name}.txt").read_text(encoding="ascii")
