"""What keeps a command from its answer. Each ends in one message and never in a traceback."""

import enum

from lightgate.errors import LightgateError

# As a shell has it: 128 and the number of SIGINT.
_INTERRUPTED = 130


class Problem(enum.StrEnum):
    """The kind of a problem. It decides the exit code, and never the text does."""

    NO_CREDENTIALS = "no-credentials"
    NO_PROFILE = "no-profile"
    NO_REGION = "no-region"
    NO_STACK = "no-stack"
    OLD_STACK = "old-stack"
    NO_LOCAL_CLOUD = "no-local-cloud"
    DENIED = "denied"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"
    NOT_FOUND = "not-found"
    AMBIGUOUS = "ambiguous"
    USAGE = "usage"
    NO_DOCKER = "no-docker"
    DOCKER_FAILED = "docker-failed"
    IGNORED = "ignored"
    NOT_STARTED = "not-started"
    UNSAFE = "unsafe"
    REFUSED = "refused"
    CANNOT_CHECK = "cannot-check"
    FILE = "file"
    INTERRUPTED = "interrupted"

    @property
    def exit_code(self) -> int:
        """1 if the answer is bad, or there is no such thing; 2 if there is no answer."""
        if self is Problem.INTERRUPTED:
            return _INTERRUPTED
        answers = (Problem.NOT_FOUND, Problem.IGNORED, Problem.NOT_STARTED, Problem.UNSAFE)
        return 1 if self in (*answers, Problem.REFUSED) else 2


class CommandError(LightgateError):
    """`hint` is what to do about it, and becomes a line of its own."""

    def __init__(self, problem: Problem, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.problem, self.hint = problem, hint


class InterruptedFollowing(KeyboardInterrupt):
    """The user has stopped the command, and what it followed goes on: `command` shows it."""

    def __init__(self, text: str, command: str) -> None:
        super().__init__(text)
        self.text, self.command = text, command
