import pytest

from lightgate.spec.django_command import database_alias, manage_call


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python manage.py migrate --noinput", "python manage.py"),
        ("timeout 300 python manage.py migrate", "python manage.py"),
        ("timeout -k 5 --foreground 5m python manage.py migrate", "python manage.py"),
        ("./manage.py migrate crops 0007", "./manage.py"),
        ("python src/manage.py migrate", "python src/manage.py"),
        ("django-admin migrate", "django-admin"),
        ("python -m django migrate", "python -m django"),
    ],
)
def test_the_call_of_manage_is_everything_before_migrate(command: str, expected: str) -> None:
    assert manage_call(tuple(command.split())) == tuple(expected.split())


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "-c", "python manage.py migrate && python manage.py loaddata x"),
        ("bash", "manage.py", "migrate"),
        ("alembic", "migrate"),
        ("migrate",),
        ("python", "manage.py", "check"),
        ("timeout", "300", "migrate"),
        (),
    ],
)
def test_what_hides_or_is_no_django_command_has_no_call(command: tuple[str, ...]) -> None:
    assert manage_call(command) is None


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
