"""What keeps a command from its answer. Each ends in one message and never in a traceback."""

import enum

from lightgate.errors import LightgateError


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

    @property
    def exit_code(self) -> int:
        """1 if AWS has answered that there is no such thing, or that nothing follows; else 2."""
        answers = (Problem.NOT_FOUND, Problem.IGNORED, Problem.NOT_STARTED, Problem.UNSAFE)
        return 1 if self in answers else 2


class CommandError(LightgateError):
    """`hint` is what to do about it, and becomes a line of its own."""

    def __init__(self, problem: Problem, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.problem, self.hint = problem, hint
