"""The one error that a user of the local cloud sees."""


class LocalCloudError(Exception):
    """The local cloud cannot continue. The message is one line that says what to do."""
