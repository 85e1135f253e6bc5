"""The rules for a whole spec, in the order of the problems that they report."""

from dataclasses import replace

from lightgate.image.addresses import RegistryAddress
from lightgate.json_reader import Node
from lightgate.spec.keys import AppSpec
from lightgate.spec.rules.commands import check_commands
from lightgate.spec.rules.endpoint import check_endpoint, check_ports, check_verification
from lightgate.spec.rules.other_images import check_images
from lightgate.spec.rules.references import (
    check_database,
    check_rehearsal,
    check_repository,
    check_secret_arns,
    check_tags,
    check_variables,
)
from lightgate.spec.rules.times import check_patience, check_polls
from lightgate.spec.rules.under_check import SpecUnderCheck
from lightgate.spec.rules.waiting import (
    check_circles,
    check_dependencies,
    check_guards,
    check_modes,
    without_unknown,
)


def check_rules(spec: AppSpec, root: Node, home: RegistryAddress | None) -> None:
    """Report every rule that the spec breaks, as far as its parts could be read."""
    checked = SpecUnderCheck(spec=spec, root=root, home=home)
    check_repository(checked)
    check_tags(checked)
    check_database(checked)
    check_variables(checked)
    check_rehearsal(checked)
    check_secret_arns(checked)
    check_dependencies(checked)
    checked = replace(checked, spec=without_unknown(spec))
    perhaps_pushed = check_images(checked)
    check_ports(checked)
    check_modes(checked)
    check_commands(checked, perhaps_pushed)
    check_endpoint(checked)
    check_verification(checked)
    check_polls(checked)
    check_patience(checked)
    check_circles(checked)
    check_guards(checked)
