"""Delete what a rehearsal has created: its instance and its service."""

from lightgate.errors import UnreachableError
from lightgate.runtime import Runtime


def remove_temporary(name: str, runtime: Runtime) -> tuple[str, ...]:
    """What is not gone yet. Both are tried, also if AWS refuses one of them.

    Raises:
        UnreachableError: AWS has refused a call; the other one was made.
    """
    left: list[str] = []
    failed: UnreachableError | None = None
    for what, temporary in (
        ("service", runtime.temporary_services),
        ("instance", runtime.temporary_databases),
    ):
        try:
            if not temporary.delete(name):
                left.append(f"the {what} {name}")
        except UnreachableError as error:
            failed = error
    if failed is not None:
        raise failed
    return tuple(left)
