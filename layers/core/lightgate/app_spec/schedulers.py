"""Finds schedulers such as celery beat, which would start each task on every node."""

import re

from lightgate.app_spec.programs import Program

_PROGRAMS = {
    "celerybeat": "celery beat",
    "rqscheduler": "rqscheduler",
    "supercronic": "supercronic",
    "cron": "cron",
    "crond": "cron",
    "yacron": "yacron",
    "periodiq": "periodiq",
}
_MANAGE_COMMANDS = ("runapscheduler", "rqscheduler", "run_huey", "celerybeat")


def scheduler_of(program: Program) -> str | None:
    """The name of the scheduler, if the program is one and takes no lock; else None."""
    arguments = program.arguments
    # RedBeat keeps a lock in Redis: one of its copies is at work.
    if any("redbeat" in word.lower() for word in arguments):
        return None
    name = program.name
    if (command := program.manage_command) is not None:
        if command == "celery":
            name, arguments = "celery", arguments[1:]
        elif command == "run_huey" and any(w in ("-n", "--no-periodic") for w in arguments):
            return None
        elif command in _MANAGE_COMMANDS:
            return f"manage.py {command}"
    if name == "celery":
        return _celery(arguments)
    return _PROGRAMS.get(name)


def _celery(arguments: tuple[str, ...]) -> str | None:
    if "beat" in arguments:
        return "celery beat"
    with_beat = any(word == "--beat" or re.fullmatch(r"-[A-Z]*B[A-Z]*", word) for word in arguments)
    return "celery worker with beat" if "worker" in arguments and with_beat else None
