"""Why the migrations cannot be judged."""

from lightgate.errors import LightgateError


class CannotCheckError(LightgateError):
    """The call is wrong, or the project cannot be loaded. `printed` is what it has printed."""

    def __init__(self, message: str, printed: str = "") -> None:
        super().__init__(message)
        self.printed = printed.rstrip()
