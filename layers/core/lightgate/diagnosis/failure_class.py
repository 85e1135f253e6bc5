"""The failure classes: one word for why a release failed."""

import enum


class FailureClass(enum.StrEnum):
    """Each has its section in docs/runbook.md, under this name."""

    MIGRATION_ERROR = "migration-error"
    MIGRATION_REFUSED = "migration-refused"
    MIGRATES_ON_LOADING = "migrates-on-loading"
    LOCK_WAIT = "lock-wait"
    DEADLOCK = "deadlock"
    STATEMENT_TIMEOUT = "statement-timeout"
    CONNECTION_LOST = "connection-lost"
    DATABASE_UNREACHABLE = "database-unreachable"
    DATABASE_REFUSED = "database-refused"
    UNPLANNED_CHANGE = "unplanned-change"
    TIME_LIMIT = "time-limit"
    CUT_OFF = "cut-off"
    NO_PERMIT = "no-permit"
    GATE_ERROR = "gate-error"
    COMMAND_NOT_RUN = "command-not-run"
    APP_CRASH = "app-crash"
    HEALTH_CHECK = "health-check"
    WATCH_FAILED = "watch-failed"
    IMAGE_PULL = "image-pull"
    ARCHITECTURE = "architecture"
    MISSING_VARIABLE = "missing-variable"
    PLATFORM_BUSY = "platform-busy"
    UNKNOWN = "unknown"
