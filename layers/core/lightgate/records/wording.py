"""Times, durations and names as people read them."""

from datetime import UTC, datetime, timedelta

_SHORT_DIGEST = 12
_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


def called(tag: str | None, digest: str | None) -> str:
    """The name of an image for people: its tag, or else the beginning of its digest."""
    return tag or short_digest(digest) or "unknown"


def short_digest(digest: str | None) -> str:
    return (digest or "").removeprefix("sha256:")[:_SHORT_DIGEST]


def short_id(release: str) -> str:
    """The beginning of a release id that names one release; a rollback needs its whole id."""
    return release if release.endswith("-back") else release.partition("-")[0]


def moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def time_of_day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S}"


def day_and_time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%m-%d %H:%M:%S}"


def clock(length: timedelta) -> str:
    """Such as 0:09, 12:40 or 1:02:03."""
    seconds = max(0, round(length.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def roughly(length: timedelta) -> str:
    """One number and its unit, such as 2 h."""
    for unit, name in _UNITS:
        if length >= unit:
            return f"{length // unit} {name}"
    return f"{max(0, int(length.total_seconds()))} s"


def seconds(length: timedelta) -> str:
    """Such as 9 s, or 3 min 4 s."""
    whole = max(0, round(length.total_seconds()))
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
