"""Which tests share a worker when they run side by side.

The scheduler is our own: ``--dist loadgroup`` of pytest-xdist 3.8 passes groups on in the names of
tests, which pytest 9.2 does not let it change, so every test was a group of its own and every
worker started everything.
"""

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_TOGETHER = ("e2e", "workflow/releases", "workflow/gates", "workflow/queue", "crops", "local")
"""Folders whose tests share something costly, or are judged together."""
_OWN_STACK = (
    *(
        "acting_commands",
        "alone",
        "as_planned",
        "commands",
        "doctor",
        "failures",
        "permits",
        "rollback_history",
        "stack_life",
        "two_stacks",
    ),
)
"""Files of `e2e` that share no stack with the others."""
_FIRST = ("sites", *_TOGETHER)
"""What takes the longest is handed out first: nothing long begins when other workers end."""


class FileScheduling(LoadScopeScheduling):
    """Hands out file by file, and folder by folder where the folder belongs together."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(nodeid.partition("::")[0])
        folder = _folder(nodeid)
        if file.name == "test_real_sites.py":
            return nodeid.rpartition("-")[0]  # a site, which has its interpreter
        is_alone = folder == "e2e" and file.stem.removeprefix("test_") in _OWN_STACK
        return folder if folder in _TOGETHER and not is_alone else str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    """Schedule by our groups whatever ``--dist`` says, in the order of the collection."""
    config.option.loadscopereorder = False
    return FileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first; what is in one folder keeps its order."""
    rank = {folder: number for number, folder in enumerate(_FIRST)}
    items.sort(key=lambda item: rank.get(_folder(item.nodeid), len(rank)))


def _folder(nodeid: str) -> str:
    """The folder of a test's file below ``tests``; the outermost of those that stay together."""
    folder = PurePosixPath(nodeid.partition("::")[0]).relative_to("tests").parent
    whole = [one for one in _TOGETHER if folder.is_relative_to(one)]
    return whole[0] if whole else str(folder)
