"""How a gate's command ended: its exit, its signal, its time limit, and what it left undone."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from types import MappingProxyType

from lightgate.diagnosis.database_trouble import lock_wait
from lightgate.diagnosis.duplicate_rows import duplicate_rows
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.gate_waits import Awaited
from lightgate.diagnosis.gate_words import because, command, left, subject
from lightgate.diagnosis.log_causes import cause_of, find_cause
from lightgate.diagnosis.log_patterns import is_of_a_driver
from lightgate.diagnosis.symptoms import Diagnosis, Remedy, Symptoms
from lightgate.gate.evidence import exceptions
from lightgate.gate.gate_report import CommandStep, Detail, Failure, GateCause
from lightgate.names import COMMAND_CONTAINER
from lightgate.spec.programs import PYTHON

# By SIGINT, SIGQUIT or SIGTERM.
_STOPPED_BY_A_SIGNAL = (128 + 2, 128 + 3, 128 + 15)
_KILLED = 128 + 9
_SIGNAL = re.compile(r"\bended by signal (\d+)\b")
_SAYS_KILLED = re.compile(r"\bKilled\b|\bSIGKILL\b|[Oo]ut of memory")
_MEMORY = "Check the memory metric of the service, and choose a larger power if it was used up"
_MEMORY_OF_A_MIGRATION = (
    "Check the memory metric of the service. Let the migration read rows in batches, such as with "
    "iterator(), or choose a larger power"
)
_AGAIN = " The same image would fail again."
# What Django, Python and argparse write of a command that they do not run.
_NOT_RUN = re.compile(
    r"Unknown command: |\S*python\S*: (?:can't open file|No module named) "
    r"|[\w.-]+(?: [\w.-]+)?: error: (?:unrecognized arguments|the following arguments are required"
    r"|argument |ambiguous option)|No Django settings specified"
)
_WHOLE_OUTPUT = 20  # a gate reports no more lines than these, except exceptions


def exited(seen: Symptoms, failure: Failure) -> Diagnosis:
    """The command, or the gate's own preparations, ended with an error."""
    if _is_not_run(seen, failure):
        return _not_run(seen, failure)
    # The output of a health check follows these words.
    has_migrated = failure.migration is not None and failure.cause is GateCause.EXIT
    cause = duplicate_rows(failure) if has_migrated else None
    cause = cause or cause_of(failure.error.removeprefix("health check: "), migration=has_migrated)
    if is_of_a_driver(failure.error):
        cause = find_cause([*exceptions(failure.last_lines), failure.error])
    remedy: Remedy | None
    if has_migrated:
        usual = f"Correct {failure.migration}"
        what, kind = f"Migration {failure.migration} failed.", FailureClass.MIGRATION_ERROR
        remedy = Remedy.IMAGE
    else:
        usual, remedy = _ACTIONS.get(
            failure.cause, (f"Run {command(seen, failure)} with this image on your machine", None)
        )
        what, kind = f"{_gate(seen, failure)}.", FailureClass.GATE_ERROR
    # Advice for an app whose table is missing does not fit the migration that creates it.
    if cause is not None and not (has_migrated and cause.kind is FailureClass.HEALTH_CHECK):
        usual, remedy = cause.action, cause.remedy
        kind = cause.kind if cause.kind is FailureClass.MISSING_VARIABLE else kind
    return Diagnosis(
        kind=kind,
        what=f"{what}{because(cause)}{left(failure)}",
        evidence=failure.error,
        next_action=seen.then(usual, remedy) + _AGAIN * (remedy is Remedy.IMAGE),
    )


def left_undone(seen: Symptoms, failure: Failure) -> Diagnosis:
    """The command succeeded, but did not apply all migrations."""
    return Diagnosis(
        kind=FailureClass.MIGRATION_ERROR,
        what=f"The command of {failure.container} succeeded, but left migrations unapplied.",
        evidence=failure.error,
        next_action=seen.then(
            "Correct the container's command so that it applies all migrations", Remedy.EITHER
        ),
    )


def unplanned(seen: Symptoms, failure: Failure) -> Diagnosis:
    """The database was changed past the plan."""
    where = " by what runs before migrate" if failure.step is CommandStep.BEFORE else ""
    return Diagnosis(
        kind=FailureClass.UNPLANNED_CHANGE,
        what=f"The database was changed{where} beside the plan that was permitted.",
        evidence=failure.error,
        next_action=seen.then(
            "Find out what changed it: compare python manage.py showmigrations with the plan, and "
            "move every change into a migration",
            Remedy.IMAGE,
        ),
    )


def slow_to_load(seen: Symptoms, failure: Failure) -> Diagnosis:
    """The app was still importing its modules at the time limit, before anything was applied."""
    return Diagnosis(
        kind=FailureClass.TIME_LIMIT,
        what=f"The app had not loaded at the time limit of {failure.container}.{left(failure)}",
        evidence=failure.error,
        next_action=seen.then(
            "Find out why that import takes so long, such as a call over the network, or raise "
            f"containers.{failure.container}.timeoutSeconds or the power of the service",
            Remedy.EITHER,
        ),
    )


def timed_out(seen: Symptoms, failure: Failure) -> Diagnosis:
    """The gate stopped the command at its time limit."""
    wait = seen.wait
    if wait is not None and wait.what == Awaited.DATABASE_LOCK:
        # That the wait has ended nobody tells; a session that stood in the way is worth a look.
        what = (
            f"{subject(failure)} was stopped at its time limit, while it waited for a table."
            f"{left(failure)}"
        )
        return lock_wait(seen, what, failure.error, failure.holders)
    return Diagnosis(
        kind=FailureClass.TIME_LIMIT,
        what=f"{subject(failure)} was stopped at its time limit.{left(failure)}",
        evidence=failure.error,
        next_action=seen.then(
            f"Raise containers.{failure.container}.timeoutSeconds, and platformPatienceSeconds "
            "with it, or split the migration",
            Remedy.EITHER,
        ),
    )


def killed(seen: Symptoms, failure: Failure) -> Diagnosis | None:
    """A signal ended the command, or a process of the gate; None if none did."""
    signal = _SIGNAL.search(failure.error)
    is_killed = (signal and signal[1] == "9") or failure.exit_code == _KILLED
    if failure.cause is GateCause.ATTEMPT:  # the error is that of another node
        return None
    if not is_killed and failure.cause is not GateCause.SIGNAL:
        return None
    # A gate that an earlier version has deployed, as a rollback starts one, tells no detail.
    if failure.detail is Detail.STOPPED or failure.exit_code in _STOPPED_BY_A_SIGNAL:
        return cut_off(seen, failure)
    is_of_gate = failure.cause in (GateCause.DJANGO, GateCause.LOCK, GateCause.SETTINGS)
    who = f"A process of {failure.container}'s gate" if is_of_gate else subject(failure)
    cause = None if is_killed else cause_of(failure.error)
    if is_killed:
        what = f"{who} was killed, most likely because memory ended."
        action = _MEMORY_OF_A_MIGRATION if failure.migration else _MEMORY
        remedy: Remedy | None = Remedy.EITHER
    else:
        what = f"{who} was ended by a signal.{because(cause) or ' Why is unknown.'}"
        action = f"Run {command(seen, failure)} with this image on your machine"
        action, remedy = (cause.action, cause.remedy) if cause else (action, None)
    return Diagnosis(
        kind=FailureClass.MIGRATION_ERROR if failure.migration else FailureClass.GATE_ERROR,
        what=f"{what}{left(failure)}",
        evidence=failure.error if signal or not is_killed else _said_of_a_kill(failure),
        next_action=seen.then(action, remedy),
    )


def _said_of_a_kill(failure: Failure) -> str:
    return next(filter(_SAYS_KILLED.search, reversed(failure.last_lines)), f"exit code {_KILLED}")


def cut_off(seen: Symptoms, failure: Failure | None) -> Diagnosis:
    """The platform ended the command."""
    at = seen.evidence.began_at
    began = f" It began at {datetime.fromisoformat(at):%H:%M:%S} UTC." if at else ""
    return Diagnosis(
        kind=FailureClass.CUT_OFF,
        what=(
            "Lightsail ended the deployment, or its node, while a migration was being applied."
            f"{began}{left(failure) if failure else ''}"
        ),
        evidence=failure.error if failure else None,
        next_action=(
            "Compare the output of python manage.py showmigrations with the database before you "
            "push again."
        ),
    )


def _is_not_run(seen: Symptoms, failure: Failure) -> bool:
    """Whether the command of a person was refused before it could do anything."""
    if failure.container != COMMAND_CONTAINER:
        return False
    if failure.cause is GateCause.EXEC:
        return True
    # A shell may have run other commands before, and a command may have printed before its end.
    is_alone = _calls_django(seen.command or ())
    printed = next((line for line in failure.last_lines if line.strip()), "")
    begins_so = printed.startswith("usage: ") or bool(_NOT_RUN.match(printed))
    is_all = len(failure.last_lines) < _WHOLE_OUTPUT
    is_refused = failure.cause is GateCause.EXIT and bool(_NOT_RUN.match(failure.error))
    return is_refused and is_alone and begins_so and is_all


def _calls_django(words: Sequence[str]) -> bool:
    """Whether nothing runs before the script: no shell, no wrapper, no code in the words."""
    name = PurePosixPath(words[0]).name if words else ""
    return name in ("manage.py", "django-admin") or (
        PYTHON.fullmatch(name) is not None and "-c" not in words
    )


def _not_run(seen: Symptoms, failure: Failure) -> Diagnosis:
    return Diagnosis(
        kind=FailureClass.COMMAND_NOT_RUN,
        what=f"{command(seen, failure)} was not run, so it has changed nothing.",
        evidence=failure.error,
        next_action=f"Correct the command, and start it again: {seen.start_again}",
    )


def _gate(seen: Symptoms, failure: Failure) -> str:
    how: str = failure.cause
    if failure.cause is GateCause.EXIT and failure.exit_code is not None:
        how = f"exit code {failure.exit_code}"
    if failure.container == COMMAND_CONTAINER:
        return f"{command(seen, failure)} failed ({how})"
    if failure.around is not None:
        return f"{failure.around} failed ({how})"
    return f"The gate of {failure.container} failed before or during its migrations ({how})"


_CHECK = "Run python manage.py check with this image and the app's variables"
_COMMAND = "Correct the container's command in the spec"
# The first step, and what it changes; None if it only finds out more.
_ACTIONS: Mapping[GateCause, tuple[str, Remedy | None]] = MappingProxyType(
    {
        GateCause.ARGUMENTS: (
            "Correct the arguments of migrate in the container's command",
            Remedy.SAME_IMAGE,
        ),
        GateCause.MANAGE: (
            "Give manage the words that call Python and its script, such as "
            '["python", "manage.py"]',
            Remedy.SAME_IMAGE,
        ),
        GateCause.EXEC: (f"{_COMMAND}, or install what it calls in the image", Remedy.EITHER),
        GateCause.PREFLIGHT: (
            "Run the container's health check with this image on your machine",
            None,
        ),
        GateCause.HEALTH_CHECK: ("Run the container's health check on your machine", None),
        GateCause.SETTINGS: (_CHECK, None),
        GateCause.DJANGO: (_CHECK, None),
        GateCause.PLAN: (
            "Run python manage.py migrate --plan with this image and the app's variables",
            None,
        ),
        GateCause.RECORD: (
            "Give the database role the right to create and write the table lightgate_attempt",
            Remedy.SAME_IMAGE,
        ),
        GateCause.PORT: ("Use another port in the app: the gate needs this one", Remedy.EITHER),
        GateCause.CONFIG: (
            "Check whether someone changed the commands of the deployment by hand",
            Remedy.SAME_IMAGE,
        ),
    }
)
