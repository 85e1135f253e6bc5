"""Carry out a check, and turn whatever keeps it from an answer into UNKNOWN."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lightgate.aws.clients import code_of
from lightgate.checks.finding import Check, Finding, failure, unknown
from lightgate.errors import LightgateError, RefusedError, joined
from lightgate_cli.connection import AWS_ERRORS
from lightgate_cli.errors import CommandError

# An answer that lacks a member, or has another shape than AWS documents.
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)
_THREADS = 16

type Answer = Finding | Iterable[Finding]


@dataclass(frozen=True, slots=True)
class Planned:
    """A check that is to be carried out. `app` is None for a check of the stack."""

    check: Check
    read: Callable[[], Answer]
    app: str | None = None


def carry_out(planned: Sequence[Planned]) -> Sequence[tuple[Planned, Sequence[Finding]]]:
    """The findings of each check, in the order of the checks."""
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(_findings, planned))
    return list(zip(planned, found, strict=True))


def _findings(planned: Planned) -> Sequence[Finding]:
    check = planned.check
    try:
        found = planned.read()
        return [found] if isinstance(found, Finding) else list(found)
    except CommandError as error:
        return [unknown(check, str(error), *filter(None, [error.hint]))]
    except RefusedError as error:
        return [failure(check, joined(error.reasons))]
    except LightgateError as error:
        return [unknown(check, f"could not be checked: {error}")]
    except AWS_ERRORS as error:
        call = getattr(error, "operation_name", None) or "the call"
        return [unknown(check, f"could not be checked: {call} answers {code_of(error)}")]
    except _UNREADABLE as error:
        what = f"{type(error).__name__}: {error}"
        return [unknown(check, f"could not be checked: the answer of AWS cannot be read ({what})")]
