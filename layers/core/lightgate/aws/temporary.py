"""What a rehearsal has created for itself, known by its name and its tags."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lightgate.names import REHEARSAL_PREFIX, REHEARSAL_TAG, STACK_TAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Temporary:
    """A temporary instance or service of this stack. `execution` is the name of its execution."""

    name: str
    execution: str
    created_at: datetime | None


def temporary(
    name: str, tags: Mapping[str, str], created_at: datetime | None, stack: str
) -> Temporary | None:
    """None for what is not a rehearsal's, or that of another stack."""
    is_ours = name.startswith(REHEARSAL_PREFIX) and REHEARSAL_TAG in tags
    if not is_ours or tags.get(STACK_TAG) != stack:
        return None
    return Temporary(name=name, execution=tags[REHEARSAL_TAG], created_at=created_at)


def require_name(name: str) -> None:
    """Raises ValueError for any other name: nothing else is ever deleted."""
    if not name.startswith(REHEARSAL_PREFIX):
        raise ValueError(f"{name} is not the name of a rehearsal")
