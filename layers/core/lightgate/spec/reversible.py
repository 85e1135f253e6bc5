"""What a spec starts beside the app and its migrations: after that no reversal is automatic."""

from collections.abc import Sequence

from lightgate.spec.keys import AppSpec
from lightgate.spec.programs import programs

# Commands of manage.py that write no rows.
_HARMLESS = ("check", "collectstatic", "compilemessages", "makemigrations", "showmigrations")


def workers(spec: AppSpec) -> Sequence[str]:
    """The containers of the pushed image that run on beside the app, and may write rows."""
    endpoint = spec.public_endpoint
    return tuple(
        name
        for name, container in spec.containers.items()
        if container.image is None
        and not spec.runs_to_an_end(name)
        and (endpoint is None or name != endpoint.container)
    )


def other_commands(spec: AppSpec) -> Sequence[str]:
    """What runs to its end beside the calls of `migrate` whose plan the gate reads."""
    found = []
    for name, container in spec.containers.items():
        if container.image is None and spec.runs_to_an_end(name) and not spec.reads_plan(name):
            found.append(f"the command of {name}")
        found += [
            f"{' '.join(argv)} of {name}"
            for argv in (*container.before, *container.then)
            if any(one.manage_command not in _HARMLESS for one in programs(argv))
        ]
        if container.fixtures:
            found.append(f"loaddata of {name}")
    return found
