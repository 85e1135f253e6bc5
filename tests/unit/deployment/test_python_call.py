"""Where the launcher of the Django helper goes among the words of a command."""

import pytest

from lightgate.deployment.python_call import PythonCall, helper_words, python_call


def split(words: str) -> tuple[str, str]:
    call = python_call(tuple(words.split()))
    return " ".join(call.python), " ".join(call.script)


@pytest.mark.parametrize(
    ("manage", "python", "script"),
    [
        ("python manage.py", "python", "manage.py"),
        ("/opt/venv/bin/python3.13 -u -W ignore app/manage.py", None, "app/manage.py"),
        ("python -X dev -Wd manage.py", "python -X dev -Wd", "manage.py"),
        ("python --check-hash-based-pycs never manage.py", None, "manage.py"),
        ("python -m django", "python", "-m django"),
        ("python -mdjango", "python", "-m django"),
        ("python3 -Im pretix", "python3 -I", "-m pretix"),
        ("poetry run python manage.py", "poetry run python", "manage.py"),
        ("env -u X PYTHONPATH=src python manage.py", None, "manage.py"),
        ("ddtrace-run python manage.py", "ddtrace-run python", "manage.py"),
        ("python -m pipenv run python manage.py", "python -m pipenv run python", "manage.py"),
        ("python -m coverage run manage.py", "python", "-m coverage run manage.py"),
        ("doppler run -- python3 manage.py", "doppler run -- python3", "manage.py"),
        ("pypy3.10 manage.py", "pypy3.10", "manage.py"),
    ],
)
def test_the_launcher_goes_between_python_and_its_script(
    manage: str, python: str | None, script: str
) -> None:
    before = manage.removesuffix(" " + script) if python is None else python
    assert split(manage) == (before, script)


@pytest.mark.parametrize(
    "manage",
    [
        "./manage.py",
        "uv run --python python3.12 manage.py",
        "uv run -p python3.12 manage.py",
        "nautobot-server",
        "python",
        "python -c pass",
        "python -m",
        "sh -c python",
    ],
)
def test_without_python_before_a_script_the_gate_reads_the_script_itself(manage: str) -> None:
    words = tuple(manage.split())
    assert python_call(words) == PythonCall((), words)


@pytest.mark.parametrize(
    ("manage", "command", "script", "migrate"),
    [
        ("python manage.py", "python manage.py migrate --noinput", 1, 2),
        ("python manage.py", "timeout 300 python manage.py migrate --configuration=Prod", 1, 4),
        ("python manage.py", "./entrypoint.sh", 1, 0),
        ("./manage.py", "./manage.py migrate", 0, 1),
    ],
)
def test_the_helper_gets_the_words_of_the_command_from_migrate_on(
    manage: str, command: str, script: int, migrate: int
) -> None:
    words = helper_words(tuple(manage.split()), tuple(command.split()))
    assert (words["script"], words["migrate"]) == (script, migrate)
