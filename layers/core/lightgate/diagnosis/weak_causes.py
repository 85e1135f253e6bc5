"""Lines that a healthy app may write too: they count only where no other line explains more."""

from lightgate.diagnosis.app_causes import NOT_REACHED
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.log_rule import EXCEPTION, LogRule, rule
from lightgate.diagnosis.start_causes import NOT_WRITABLE
from lightgate.diagnosis.symptoms import Remedy

WEAK_RULES: tuple[LogRule, ...] = (
    rule(
        r"(?:mkdir|touch|cp|tee|chmod|ln|mv): .*?(?:'|\u2018)([^'\u2019]+)(?:'|\u2019): "
        r"Permission denied"
        r"|nginx: \[emerg\] \w+\(\) \"([^\"]+)\" failed \(13: "
        r"|error: Failed to initialize cache at `([^`]+)`",
        *NOT_WRITABLE,
        ends_the_app=False,
    ),
    rule(
        r"chown: (?:changing ownership of ')?([^':]+)'?: Operation not permitted",
        "The start script may not change the owner of {0}.",
        "Change the owner when the image is built (COPY --chown), and not at the start",
        ends_the_app=False,
    ),
    rule(
        EXCEPTION + r"FileNotFoundError: \[Errno 2\] No such file or directory: '([^']+)'"
        r"|\S+: (?:line )?\d+: cd: (?:can't cd to )?([^:\s]+)",
        "The image has no {0}.",
        "Add {0} to the image, or correct its path in the app",
        ends_the_app=False,
    ),
    rule(
        r"gave up: (\S+) entered FATAL state",
        "supervisord could not keep {0} running.",
        "Let supervisord write the output of {0} to the log (stdout_logfile=/dev/fd/1, "
        "stdout_logfile_maxbytes=0, redirect_stderr=true), and correct its command",
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(\w[\w-]*\.\d+) stopped \(rc=[1-9]\d*\)",
        "The process {0} of the Procfile ended.",
        "Correct the command of {0} in the Procfile",
        remedy=Remedy.EITHER,
    ),
    rule(
        r"(?:PostgreSQL|Postgres|MySQL|MariaDB|[Dd]atabase) (?:is )?(?:unavailable|not available)",
        "The start script still waits for the database.",
        "Check that host and port of the database are right where the script reads them, and that "
        "the database is available",
        ends_the_app=False,
        is_last=True,
        kind=FailureClass.DATABASE_UNREACHABLE,
        remedy=Remedy.SAME_IMAGE,
    ),
    rule(
        r"nc: bad address '([^']+)'|wait-for-it\S*: timeout occurred after .* for (\S+)",
        *NOT_REACHED,
        ends_the_app=False,
        is_last=True,
        remedy=Remedy.EITHER,
    ),
)
