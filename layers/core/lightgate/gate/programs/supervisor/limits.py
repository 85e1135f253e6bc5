"""Sizes and time limits of the supervisor. Times are in seconds."""

from __future__ import annotations

LINE_LIMIT = 512  # characters of a status line, or of a line in an event
EVENT_LIMIT = 8000  # bytes
BACKLOG = 65536  # bytes of output that nobody has read, until the command has to wait
CLIENTS = 100  # connections at a time
QUIET = 0.1  # until an unfinished line is passed on as it is
HELPER_SILENCE = 15  # without a sign of life from the helper that holds the lock
HELPER_WORK = 60  # that the helper may take for a query, without a sign of life
LAST_DELIVERY = 5  # at the end, for events that are not in the mailbox yet
RETRIES = 3  # of a command after passing trouble, and of S3 clients in a row that deliver nothing
