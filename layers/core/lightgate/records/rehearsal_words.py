"""What a rehearsal has measured, in sentences for people."""

from collections.abc import Iterator

from lightgate.migrations.measured import Measured, MeasuredLock, Waits
from lightgate.records.prediction import Prediction
from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.rehearsed import Rehearsed
from lightgate.records.wording import moment

_WAITS = {
    Waits.READS_AND_WRITES: "reads and writes of the table wait",
    Waits.WRITES: "writes of the table wait",
    Waits.SAME_ROWS: "writes of the same rows wait",
    Waits.NOTHING: "nothing waits",
}
_MOST = 5


def seconds_of(value: float) -> str:
    """Such as 0.04 s, 3.2 s or 75 s."""
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def lock_of(one: MeasuredLock) -> str:
    """One lock with who waits for it."""
    by = f"{one.migration} holds " if one.migration else ""
    return f"{by}{one.mode} on {one.table} for {seconds_of(one.seconds)}: {_WAITS[one.waits]}"


def expected_lock(measured: Measured) -> str:
    """The longest time for which the live version would have to wait."""
    if measured.locks is None:
        return "The locks were not measured."
    longest = measured.longest_lock
    if longest is None:
        return "No lock that makes reads or writes of a whole table wait was seen."
    return f"Longest lock: {lock_of(longest)}."


def rehearsal_lines(found: Rehearsed) -> Iterator[str]:
    """What was restored, what was measured, and what is left on AWS; one fact in each line."""
    if found.snapshot is not None:
        as_of = f", database as of {moment(found.snapshot_at)}" if found.snapshot_at else ""
        yield f"on a copy of {found.snapshot}{as_of}"
    if found.measured is not None:
        yield from _measured(found.measured)
    if not found.is_removed:
        yield f"{found.name} may still exist; Reconcile removes it"


def prediction_lines(found: Prediction) -> Iterator[str]:
    """What was predicted and what then happened, one fact in each line."""
    if found.status != EndStatus.SUCCEEDED:
        yield f"{found.rehearsal} {found.status}: {found.summary}"
    for one in found.migrations[:_MOST]:
        before = _took(one.rehearsed_seconds)
        yield f"{one.name} took {before} on the copy, {_took(one.seconds)} in this release"
    if (more := len(found.migrations) - _MOST) > 0:
        yield f"lightgate show {found.rehearsal} has {more} more migrations"
    if found.lock is not None:
        then = ""
        if found.lock_at_most is not None:
            then = f"; in this release at most {seconds_of(found.lock_at_most)}"
        yield f"longest lock on the copy: {lock_of(found.lock)}{then}"
    if found.is_upper_bound:
        yield "the times on the copy are upper bounds"


def _took(value: float | None) -> str:
    return "an unknown time" if value is None else seconds_of(value)


def _measured(measured: Measured) -> Iterator[str]:
    locks = [one for one in measured.locks or () if one.waits is not Waits.NOTHING]
    for one in sorted(locks, key=lambda one: -one.seconds)[:_MOST]:
        yield lock_of(one)
    if measured.locks is None:
        yield "the locks were not measured"
    for table in (measured.tables or ())[:_MOST]:
        rows = "" if table.rows is None else f" of {table.rows} rows"
        if table.is_rewritten:
            yield f"the table {table.name}{rows} was written anew"
        if table.changed_rows:
            yield f"{table.changed_rows} rows of {table.name} were changed"
    if measured.is_upper_bound:
        yield (
            "the times are upper bounds: a restored volume loads its blocks when they are first "
            "read, and not all tables could be read before"
        )
