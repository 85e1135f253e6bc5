"""The terminal session in README.md is a record of the demo, and not too old a one."""

import click

from lightgate_cli import history
from lightgate_cli.main import main
from local.demo import session
from tests.support import session_shape

README = session.README.read_text("utf-8")
RECORDED = session_shape.recorded(README)


def test_the_session_of_the_readme_has_the_commands_in_their_order() -> None:
    typed = [line[2:] for line in RECORDED.splitlines() if line.startswith("$ ")]

    assert typed == list(session.COMMANDS), "run make session"
    with click.Context(main) as context:
        known = main.list_commands(context)
    assert {command.split()[1] for command in typed} <= set(known)


def test_the_table_of_the_session_has_the_columns_of_the_command() -> None:
    lines = [" ".join(line.split()) for line in RECORDED.splitlines()]

    assert " ".join(history.HEAD) in lines, "run make session"


def test_a_session_takes_the_place_of_the_old_one_and_changes_nothing_else() -> None:
    assert session.with_session(README, RECORDED) == README
    new = f"$ {session.COMMANDS[0]}\nAPP  \\1\n"
    changed = session.with_session(README, new)
    assert session_shape.recorded(changed) == new
    assert session.with_session(changed, RECORDED) == README


def test_times_ids_and_the_order_of_events_do_not_make_a_session_old() -> None:
    before = (
        "$ lightgate show v3 --local\nv3 of crops: FAILED in 9 s\n\n"
        "09:10:01  started    by push\n09:10:02  snapshot   started\n"
        "Release      20261129t091001z-7849e651-b597\n"
    )
    after = (
        "$ lightgate show v3 --local\nv3 of crops: FAILED in 1 min 10 s\n\n"
        "17:59:59  snapshot   started\n17:59:59  started    by push\n"
        "Release      20261130t173623z-7849e651-fdbb\n"
    )

    assert session_shape.shape(before) == session_shape.shape(after)
    for old, new in (("Release ", "Id "), ("snapshot ", "backup "), (" FAILED", " BAD")):
        assert session_shape.shape(before.replace(old, new)) != session_shape.shape(after)
