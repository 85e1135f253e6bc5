"""Starts a rehearsal, says before what it costs, and follows it."""

import time
from collections.abc import Iterator
from datetime import timedelta

import click

from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.rehearsal_words import rehearsal_lines
from lightgate.records.release_record import RELEASING, ReadableRecord
from lightgate.rehearsal.gate import rehearsal_of
from lightgate.rehearsal.rehearsal_request import parse_rehearsal_request
from lightgate.spec.keys import AppSpec
from lightgate_cli import output
from lightgate_cli.acting.carry_out import lines
from lightgate_cli.acting.following import Followed, Verdict, View, interruptible
from lightgate_cli.acting.start import Started, begin
from lightgate_cli.acting.view import opened
from lightgate_cli.connection import AWS_ERRORS, Connection, may_pass
from lightgate_cli.json_output import print_json

_NOT_SUCCEEDED = 1
_POLL, _LOCAL_POLL = timedelta(seconds=5), timedelta(seconds=0.5)
_MOST_FAILURES = 30
_RUNNING = ("RUNNING", "PENDING_REDRIVE")
_STATES = {
    "AdmitRehearsal": "Checking spec, image, snapshot and secrets",
    "PrepareRehearsal": "Restoring the snapshot, and making the service",
    "RunRehearsal": "Running the migrations on the copy",
    "RemoveRehearsal": "Removing instance and service",
}


def cost_and_duration(
    spec: AppSpec, connection: Connection, *, takes_snapshot: bool
) -> Iterator[str]:
    """What will be created and billed, and for how long.

    Raises:
        RefusedError: the spec does not say how to rehearse.
    """
    rehearsal_of(spec)
    database = spec.database.name if spec.database is not None else ""
    yield "A rehearsal creates, and AWS bills until it has removed them:"
    yield f"  - an RDS instance like {database}{_size(database, connection)}, not public, Single-AZ"
    yield f"  - a Lightsail container service with one node, of the power of {spec.service}"
    if takes_snapshot:
        yield f"  - a snapshot of {database}, which stays as those of releases do"
    yield (
        "It usually takes 20 to 60 minutes, and longer for a large database. AWS bills a database "
        "instance for 10 minutes at least. If the rehearsal is stopped, Reconcile removes both."
    )


def _size(database: str, connection: Connection) -> str:
    """Its class and its storage, as far as the caller may read them."""
    try:
        answer = connection.client("rds").describe_db_instances(DBInstanceIdentifier=database)
        [found] = answer["DBInstances"]
        return f" ({found['DBInstanceClass']}, {found['AllocatedStorage']} GB)"
    except (*AWS_ERRORS, KeyError, ValueError):
        return ""


def start_rehearsal(app: str, connection: Connection, **members: object) -> Started:
    """Start an execution with these members of its input. None stands for no member.

    Raises:
        RefusedError: the input would be refused.
    """
    executions = connection.rehearsal_executions
    return begin(app, connection, executions, parse_rehearsal_request, members)


def follow_rehearsal(followed: Followed, connection: Connection, *, as_json: bool) -> None:
    """Show the progress, then the verdict. The exit code is 0 only if it SUCCEEDED."""
    with interruptible(followed, "rehearsal"), opened(connection, is_quiet=as_json) as view:
        record, status = _wait(followed, connection, view)
    verdict = _verdict(followed, record, status)
    if as_json:
        print_json(verdict)
    else:
        shown = [*lines(verdict, width=output.width())]
        if record is not None and record.rehearsal is not None:
            for line in rehearsal_lines(record.rehearsal):
                shown += output.labelled("", line, width=output.width())
        output.print_lines(shown)
    if not verdict.is_good:
        click.get_current_context().exit(_NOT_SUCCEEDED)


def _wait(
    followed: Followed, connection: Connection, view: View
) -> tuple[ReadableRecord | None, str]:
    """Wait for the end of the execution. Its record, and its own status."""
    shown, failures = "", 0
    while True:
        try:
            entered, status = _entered(followed.execution, connection)
            if status not in _RUNNING:
                return _record_of(followed, connection), status
            failures = 0
        except AWS_ERRORS as error:
            failures += 1
            if not may_pass(error) or failures >= _MOST_FAILURES:
                raise
            entered = ""
        told = _STATES.get(entered, "")
        if told and told != shown:
            view.note(told)
            shown = told
        time.sleep((_LOCAL_POLL if connection.is_local else _POLL).total_seconds())


def _entered(execution: str, connection: Connection) -> tuple[str, str]:
    """The last task that was entered, and the status of the execution."""
    machine = connection.client("stepfunctions")
    status = str(machine.describe_execution(executionArn=execution)["status"])
    answer = machine.get_execution_history(executionArn=execution, reverseOrder=True, maxResults=20)
    names = (
        str(event["stateEnteredEventDetails"]["name"])
        for event in answer["events"]
        if "stateEnteredEventDetails" in event
    )
    return next((name for name in names if name in _STATES), ""), status


def _record_of(followed: Followed, connection: Connection) -> ReadableRecord | None:
    """The record of the execution; None if it has none."""
    found = connection.rehearsals.history(followed.app)
    return next((one for one in found if one.execution == followed.execution), None)


def _verdict(followed: Followed, record: ReadableRecord | None, status: str) -> Verdict:
    if record is None or record.status == RELEASING:
        return Verdict(
            app=followed.app,
            execution=followed.execution,
            release=record.release if record is not None else None,
            status=status,
            text=f"The execution ended as {status}, and its outcome is not on record yet.",
            next_steps=[
                f"Reconcile records it, and removes what is left: lightgate history {followed.app}"
            ],
        )
    text = " ".join(filter(None, (record.summary, *record.reasons)))
    is_good = record.status == EndStatus.SUCCEEDED
    return Verdict(
        app=followed.app,
        execution=followed.execution,
        release=record.release,
        status=record.status,
        text=text,
        next_steps=[f"lightgate release {followed.app} --tag {record.tag}"]
        if is_good and record.tag
        else [],
    )
