"""Recognize a file that was given as a spec and is something else."""

from collections.abc import Sequence

from lightgate.errors import SpecError
from lightgate_cli.translating.kinds import Kind, kind_of
from lightgate_cli.translating.text import read_document


def said_of(data: bytes, name: str, reasons: Sequence[str]) -> Sequence[str]:
    """The problems of the text as a spec, or in their place what it is, and what to do."""
    try:
        document = read_document(data, name)
    except SpecError:
        return reasons
    kind = kind_of(document.value)
    command = f"lightgate init {'-' if name == 'standard input' else name}"
    if kind is Kind.SPEC and document.oddities:
        how = " and ".join(document.oddities)
        return [*reasons[:-1], f"{reasons[-1]}; {name} {how}: {command} writes it as plain JSON"]
    if kind is Kind.SPEC:
        return reasons
    if kind is Kind.DEPLOYMENT and not document.oddities:
        return [*reasons, f"{name}: looks like {kind}; {command} writes a spec from it"]
    if kind.can_become_a_spec:
        return [f"{name}: is {kind}, and no spec; {command} writes a spec from it"]
    if kind is Kind.UNKNOWN:
        return reasons
    return [f"{name}: is {kind}, and no spec; docs/spec.md says what a spec has"]
