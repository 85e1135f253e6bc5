"""The migration commands of each stage, for a container that gives none of its own."""

from dataclasses import dataclass

from lightgate.spec.keys import AppSpec, Stage
from lightgate.spec.shell_line import Argv

USUAL_MANAGE = ("python", "manage.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What a container runs: `main`, with others before and after it, all or nothing."""

    before: tuple[Argv, ...] = ()
    main: Argv
    then: tuple[Argv, ...] = ()


def preset(spec: AppSpec, name: str) -> Commands:
    """The commands of the app's stage, with those that the container adds around them.

    Staging does not use `migrate --check`, which fails exactly when there is something to
    migrate (docs/measured.md, "Migrations and old code"): it checks that no migration is
    missing, shows the plan, and migrates.
    """
    container = spec.containers[name]
    manage = container.manage or USUAL_MANAGE
    before: tuple[Argv, ...] = ()
    then: tuple[Argv, ...] = ()
    main: Argv = (*manage, "migrate", "--noinput")
    match spec.stage:
        case Stage.DEVELOPMENT:
            then = ((*manage, "loaddata", *container.fixtures),) if container.fixtures else ()
        case Stage.STAGING:
            before = (
                (*manage, "makemigrations", "--check", "--dry-run"),
                (*manage, "migrate", "--plan"),
            )
        case Stage.PRODUCTION:
            main = (*main, "--verbosity=2")
    return Commands(before=(*before, *container.before), main=main, then=(*then, *container.then))
