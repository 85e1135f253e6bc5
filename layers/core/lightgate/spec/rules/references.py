"""What the spec names outside itself: repository, tags, secrets, database and rehearsal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lightgate.image.addresses import RegistryAddress, without_registry
from lightgate.json_reader import one_of, shown
from lightgate.names import PIN_TAG_PREFIX
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.rules.under_check import SpecUnderCheck

if TYPE_CHECKING:
    from lightgate.spec.keys import SecretReference


def check_repository(checked: SpecUnderCheck) -> None:
    """A push to another registry would never be heard of."""
    given = checked.root.at("repository").value
    registry = RegistryAddress.of_address(given) if isinstance(given, str) else None
    home = checked.home
    if registry is not None and home is not None and registry != home:
        checked.report(
            f"{shown(given)} is in the account {registry.account} and the region "
            f"{registry.region}; Lightgate receives only the pushes of the account "
            f"{home.account} and the region {home.region}; push to a repository there and "
            f"write its name, such as {without_registry(given)}",
            "repository",
        )


def check_tags(checked: SpecUnderCheck) -> None:
    for index, tag in enumerate(checked.spec.tags):
        if tag.startswith(PIN_TAG_PREFIX):
            checked.report(
                f"tags that begin with {PIN_TAG_PREFIX} are Lightgate's own; a push of one is "
                "never a release",
                *("tags", index),
            )


def check_secret_arns(checked: SpecUnderCheck) -> None:
    """Lightgate reads secrets in its own account and Region only."""
    if checked.home is None:
        return
    places: list[tuple[tuple[str, ...], Mapping[str, SecretReference]]] = [
        (("secrets",), checked.spec.secrets),
        *((("containers", n, "secrets"), c.secrets) for n, c in checked.spec.containers.items()),
    ]
    if checked.spec.rehearsal is not None:
        places.append((("rehearsal", "secrets"), checked.spec.rehearsal.secrets))
    for place, secrets in places:
        for name, one in secrets.items():
            # Those at the top of the spec are in every container as well.
            is_shared = len(place) > 1 and checked.spec.secrets.get(name) == one
            is_here = (one.account, one.region) == (checked.home.account, checked.home.region)
            if one.account and not is_here and not is_shared:
                checked.report(
                    f"is in the account {one.account} and the Region {one.region}, and "
                    f"Lightgate reads secrets of {checked.home.account} in {checked.home.region} "
                    "only; store the secret there",
                    *place,
                    name,
                )


def check_database(checked: SpecUnderCheck) -> None:
    database = checked.root.at("database").value
    if checked.spec.require_private_database and database is None:
        checked.report(
            "is true, and the spec names no database; add database, or remove this key",
            "requirePrivateDatabase",
        )
    if not isinstance(database, dict):
        return
    kinds = [kind.value for kind in DatabaseKind]
    given = [kind for kind in kinds if kind in database]
    if len(given) > 1:
        checked.report(f"has {' and '.join(given)}; keep one of them", "database")
    elif not given:
        checked.report(f"names no database; write one of {one_of(kinds)}", "database")


def check_variables(checked: SpecUnderCheck) -> None:
    owners: list[tuple[str, ...]] = [
        (),
        *(("containers", name) for name in checked.spec.containers),
        ("rehearsal",),
    ]
    for owner in owners:
        plain, secret = (checked.root.at(*owner, key).value for key in ("environment", "secrets"))
        if isinstance(plain, dict) and isinstance(secret, dict):
            for name in sorted(plain.keys() & secret.keys()):
                checked.report(
                    "stands in environment too; keep one of the two", *owner, "secrets", name
                )


def check_rehearsal(checked: SpecUnderCheck) -> None:
    """A rehearsal restores a snapshot of RDS, and must not reach the app's own database."""
    rehearsal, database = checked.spec.rehearsal, checked.spec.database
    if rehearsal is None:
        return
    if checked.was_read("database") and (database is None or database.instance is None):
        checked.report(
            "needs database.instance: only a snapshot of an RDS instance can be rehearsed on; "
            "remove this key, or name the instance",
            "rehearsal",
        )
    variable = rehearsal.database_variable
    places = [("rehearsal", key) for key in ("environment", "secrets", "databaseVariable")]
    if all(checked.was_read(*place) for place in places) and variable not in (
        rehearsal.environment.keys() | rehearsal.secrets.keys()
    ):
        checked.report(
            f"{shown(variable)} is in neither environment nor secrets of the rehearsal, which "
            "has no other variables; add it there",
            *("rehearsal", "databaseVariable"),
        )
