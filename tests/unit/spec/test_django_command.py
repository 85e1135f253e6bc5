import pytest

from lightgate.spec.django_command import (
    MigrateCall,
    Split,
    database_alias,
    migrate_call,
    runs_what_follows,
    split_command,
)

type Argv = tuple[str, ...]


def shell(line: str) -> list[str]:
    return ["sh", "-c", line]


CALLS = [
    ("", "python manage.py"),
    ("", "./manage.py"),
    ("", "python src/manage.py"),
    ("", "/usr/bin/python3.12 /app/manage.py"),
    ("", "python -u -W ignore manage.py"),
    ("", "django-admin"),
    ("", "python -m django"),
    ("", "python -m pkg.manage"),
    ("", "doppler run -- python manage.py"),
    ("", "doppler run --config prd -- ddtrace-run python manage.py"),
    ("", "uv run manage.py"),
    ("", "uv run --frozen --with psycopg python manage.py"),
    ("", "uv --quiet --directory src run python manage.py"),
    ("", "poetry -q run ./manage.py"),
    ("", "hatch -e prod run python manage.py"),
    ("", "dotenv -f .env run python manage.py"),
    ("", "dotenv -e .env -- python manage.py"),
    ("", "elasticapm-run python3.13t manage.py"),
    ("", "s6-setuidgid app python manage.py"),
    ("", "setpriv --reuid 1000 --clear-groups python -P manage.py"),
    ("", "runuser -u app -- python manage.py"),
    ("", "poetry run python manage.py"),
    ("", "pipenv run python manage.py"),
    ("", "pdm run python manage.py"),
    ("", "newrelic-admin run-program python manage.py"),
    ("", "opentelemetry-instrument --service_name crops python manage.py"),
    ("", "env X=Y python manage.py"),
    ("", "env --chdir=src python manage.py"),
    ("", "nice -n 10 python manage.py"),
    ("", "gosu app python manage.py"),
    ("", "wait-for-it.sh db:5432 -- python manage.py"),
    # These would end the helper, or keep it from being ended.
    ("timeout 300", "python manage.py"),
    ("timeout -k 5 --foreground 5m", "python manage.py"),
    ("tini --", "./manage.py"),
    ("dumb-init", "./manage.py"),
    ("tini -g -- timeout 5", "./manage.py"),
]


@pytest.mark.parametrize(("before", "manage"), CALLS)
def test_a_call_of_migrate_is_recognised_behind_what_only_runs_it(manage: str, before: str) -> None:
    words = tuple(manage.split())
    command = (*before.split(), *words, "migrate", "--noinput")
    assert migrate_call(command) == MigrateCall(words, command)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("python manage.py migrate", "python manage.py migrate"),
        ("exec python manage.py migrate --noinput", "python manage.py migrate --noinput"),
        ("STAGE=x python manage.py migrate", "env STAGE=x python manage.py migrate"),
        ("  doppler run -- './manage.py' migrate ", "doppler run -- ./manage.py migrate"),
        ("python manage.py migrate;", "python manage.py migrate"),
        ("python manage.py migrate || exit 1", "python manage.py migrate"),
        ('python manage.py migrate 2>&1 || exit "$?"', "python manage.py migrate"),
        ("python manage.py migrate \\\n  --noinput\n", "python manage.py migrate --noinput"),
    ],
)
@pytest.mark.parametrize("how", [("sh", "-c"), ("/bin/bash", "-euo", "pipefail", "-c")])
def test_the_single_command_of_a_shell_is_run_without_it(how: Argv, line: str, words: str) -> None:
    call = migrate_call((*how, line))
    assert call is not None
    assert call.argv == tuple(words.split())


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "-c", "python manage.py migrate && python manage.py loaddata x"),
        ("sh", "-c", "python manage.py migrate --database $DATABASE"),
        ("sh", "-c", "python manage.py migrate > /dev/null"),
        ("sh", "-c", "python manage.py migrate > /dev/null 2>&1"),
        ("sh", "-c", "python manage.py migrate || exit 0"),
        ("sh", "-c", "python manage.py migrate || true"),
        ("poetry", "install", "run", "python", "manage.py", "migrate"),
        ("dotenv", "list"),
        ("sh", "-c", "cd src && python manage.py migrate"),
        ("sh", "-c", "if true; then python manage.py migrate; fi"),
        ("bash", "-lc", "python manage.py migrate"),
        ("sh", "-c", "python manage.py migrate", "more"),
        ("bash", "manage.py", "migrate"),
        ("./entrypoint.sh", "python", "manage.py", "migrate"),
        ("doppler", "run", "python", "manage.py", "migrate"),
        ("doppler", "run", "--", "timeout", "60", "python", "manage.py", "migrate"),
        ("uv", "run", "--unknown", "value", "python", "manage.py", "migrate"),
        ("python", "-c", "manage.py", "migrate"),
        ("python", "manage.py", "migrate", "&&", "python", "manage.py", "check"),
        ("nautobot-server", "migrate"),
        ("alembic", "migrate"),
        ("migrate",),
        ("python", "manage.py", "check"),
        ("timeout", "300", "migrate"),
        ("env",),
        ("doppler", "run", "--"),
        (),
    ],
)
def test_what_is_not_certainly_the_call_of_migrate_is_none(command: Argv) -> None:
    assert migrate_call(command) is None


def test_the_spec_can_say_what_calls_manage() -> None:
    manage = ("nautobot-server",)
    command = (*manage, "migrate", "--noinput")
    assert migrate_call(command, manage) == MigrateCall(manage, command)
    assert migrate_call(("sh", "-c", "exec nautobot-server migrate"), manage) is not None
    assert migrate_call(("timeout", "60", *command), manage) is not None
    for other in ("nautobot-server post_upgrade", "python manage.py migrate", "migrate"):
        assert migrate_call(tuple(other.split()), manage) is None


@pytest.mark.parametrize(
    "command",
    [
        shell("./manage.py makemigrations && ./manage.py migrate && ./manage.py collectstatic"),
        shell("set -e; ./manage.py makemigrations; ./manage.py migrate; ./manage.py collectstatic"),
        shell(
            "set -eux; ./manage.py makemigrations; ./manage.py migrate; ./manage.py collectstatic;"
        ),
        shell(
            "set -o errexit -o pipefail\n./manage.py makemigrations\n./manage.py migrate\n"
            "./manage.py collectstatic || exit 1"
        ),
        shell(
            "set -e && ./manage.py makemigrations && ./manage.py migrate && "
            "./manage.py collectstatic"
        ),
        [
            "bash",
            "-ec",
            "./manage.py makemigrations\n./manage.py migrate\n./manage.py collectstatic",
        ],
        [
            *("./manage.py", "makemigrations", "&&", "./manage.py", "migrate", "&&"),
            *("./manage.py", "collectstatic"),
        ],
    ],
)
def test_commands_in_turn_are_split_at_migrate(command: list[str]) -> None:
    assert split_command(tuple(command)) == Split(
        before=(("./manage.py", "makemigrations"),),
        command=("./manage.py", "migrate"),
        then=(("./manage.py", "collectstatic"),),
    )


def test_a_command_that_needs_the_shell_keeps_it_in_a_split() -> None:
    line = "./manage.py migrate && echo $HOME | tee '/tmp/a && b'"
    split = split_command(("doppler", "run", "--", "sh", "-c", line))
    assert split is not None
    assert split.command == ("doppler", "run", "--", "./manage.py", "migrate")
    rest = "echo $HOME | tee '/tmp/a && b'"
    assert split.then == (("doppler", "run", "--", "sh", "-c", rest),)


def test_a_migrate_that_only_shows_the_plan_stands_before_it() -> None:
    line = "./manage.py migrate --plan && ./manage.py migrate"
    assert split_command(("sh", "-c", line)) == Split(
        before=(("./manage.py", "migrate", "--plan"),),
        command=("./manage.py", "migrate"),
        then=(),
    )


@pytest.mark.parametrize(
    "line",
    [
        "./manage.py migrate; ./manage.py collectstatic",  # the second runs in any case
        "./wait.sh || ./manage.py migrate",
        "cd src && ./manage.py migrate",
        "export A=b && ./manage.py migrate && echo",
        "A=b && ./manage.py migrate && echo",
        "./manage.py migrate & wait",
        "(./manage.py migrate && echo)",
        "for one in a b; do ./manage.py migrate && echo; done",
        "exec ./manage.py check && ./manage.py migrate",
        'echo "\\" && ./manage.py migrate && echo "',
        "./manage.py migrate && ./manage.py migrate --database other",
        "./manage.py migrate --check && ./manage.py migrate",
        "set -x; ./manage.py check; ./manage.py migrate",
        "set -eo pipefail; ./manage.py dumpdata | gzip > /dump; ./manage.py migrate",
        "./manage.py migrate && echo 'open",
        "set -e; ./manage.py check && ./manage.py migrate; echo",  # -e does not see the first
    ],
)
def test_a_line_with_another_meaning_is_not_split(line: str) -> None:
    assert split_command(("sh", "-c", line)) is None


@pytest.mark.parametrize(
    ("entrypoint", "expected"),
    [
        ("tini --", True),
        ("dumb-init", True),
        ("/usr/bin/env A=b", True),
        ("/entrypoint.sh", False),
        ("tini -- /entrypoint.sh", False),
        ("python manage.py", False),
    ],
)
def test_an_entrypoint_that_only_runs_the_command_is_recognised(
    entrypoint: str, expected: bool
) -> None:
    assert runs_what_follows(tuple(entrypoint.split())) is expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python manage.py migrate", "default"),
        ("python manage.py migrate --database replica", "replica"),
        ("python manage.py migrate --database=replica --noinput", "replica"),
        ("python manage.py migrate --database", "default"),
    ],
)
def test_the_database_is_the_one_that_the_command_names(command: str, expected: str) -> None:
    assert database_alias(tuple(command.split())) == expected
