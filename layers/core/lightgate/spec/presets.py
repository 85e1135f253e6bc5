"""The migration commands of each stage, for a container that gives none of its own."""

from dataclasses import dataclass

from lightgate.spec.keys import AppSpec, Stage

USUAL_MANAGE = ("python", "manage.py")

type _Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What a container runs: `main`, with others before and after it, all or nothing."""

    before: tuple[_Argv, ...] = ()
    main: _Argv
    then: tuple[_Argv, ...] = ()


def preset(spec: AppSpec, container: str) -> Commands:
    """The commands of the app's stage.

    Staging does not use `migrate --check`, which fails exactly when there is something to
    migrate (measured-facts.md, "Migrations and old code"): it checks that no migration is
    missing, shows the plan, and migrates.
    """
    manage = spec.containers[container].manage or USUAL_MANAGE
    match spec.stage:
        case Stage.DEVELOPMENT:
            fixtures = spec.containers[container].fixtures
            return Commands(
                main=(*manage, "migrate", "--noinput"),
                then=((*manage, "loaddata", *fixtures),) if fixtures else (),
            )
        case Stage.STAGING:
            return Commands(
                before=(
                    (*manage, "makemigrations", "--check", "--dry-run"),
                    (*manage, "migrate", "--plan"),
                ),
                main=(*manage, "migrate", "--noinput"),
            )
        case Stage.PRODUCTION:
            return Commands(main=(*manage, "migrate", "--noinput", "--verbosity=2"))
