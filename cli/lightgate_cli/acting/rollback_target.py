"""The version that a rollback by hand goes to."""

from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.app_facts import AppFacts
from lightgate_cli.reading.app_status import AppStatus


def target_of(to: str | None, facts: AppFacts, status: AppStatus, *, is_forced: bool) -> int:
    """The version, by its number, by the tag of its image, or the last good one before.

    Admit judges each rollback. Only one whose target the person did not name is judged here too.

    Raises:
        CommandError: there is no such version, the answer is unknown, or the last good version may
            fail with the current database.
    """
    if facts.service is None:
        raise CommandError(
            Problem.UNREADABLE,
            "The versions of the app could not be read: " + " ".join(facts.unread),
        )
    if to is not None:
        return _named(to, facts, status)
    found = status.rollback
    if found is None:
        raise CommandError(
            Problem.NOT_FOUND,
            f"{facts.app} has no good version before the live one.",
            hint=f"lightgate history {facts.app} shows its releases. Release an image of one: "
            f"lightgate release {facts.app} --tag TAG",
        )
    if not found.is_safe and not is_forced:
        name = found.tag or f"version {found.version}"
        raise CommandError(
            Problem.UNSAFE,
            " ".join([f"{name} may not work with the current database.", *found.reasons]),
            hint=f"To roll back anyway: lightgate rollback {facts.app} --to {found.version} "
            "--allow-destructive",
        )
    return found.version


def _named(to: str, facts: AppFacts, status: AppStatus) -> int:
    listed = facts.service.deployments if facts.service is not None else ()
    versions = facts.versions or {}
    live = status.live.version if status.live is not None else None
    tagged = [
        shown.version
        for shown in listed
        if (known := versions.get(shown.version)) is not None
        and known.release == shown.release
        and known.tag == to
    ]
    others = sorted(version for version in tagged if version != live)
    numbered = int(to) if to.isascii() and to.isdecimal() else None
    if numbered is not None and any(shown.version == numbered for shown in listed):
        if others and numbered not in others:
            raise CommandError(
                Problem.AMBIGUOUS,
                f"{to} is version {to}, and the tag of version {others[-1]}.",
                hint=f"lightgate release {facts.app} --tag {to} releases the image of the tag.",
            )
        return numbered
    if status.live is not None and status.live.tag == to:
        raise CommandError(Problem.NOT_FOUND, f"{to} of {facts.app} is live already.")
    if others:
        return others[-1]
    raise CommandError(
        Problem.NOT_FOUND,
        f"{to} is no tag and no number of a version that the service of {facts.app} still lists.",
        hint=f"To release its image with the present spec: lightgate release {facts.app} "
        f"--tag {to}",
    )
