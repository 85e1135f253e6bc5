"""A Django app's gate and the controller: the plan goes out, the permit comes back."""

import time
from typing import Any

import pytest

from tests.gate.mailbox_server import Mailbox
from tests.gate.programs import RELEASE, Program, Runner, eventually
from tests.gate.projects import ADD_COLOUR, Project, Rows, sql

TAKE_LOCK = "select pg_advisory_lock(1279743045, 1)"
FREE_LOCK = "select pg_advisory_unlock(1279743045, 1)"


@pytest.fixture
def pending(crops: Project, rows: Rows) -> Project:
    """One migration is applied, one is pending."""
    rows.begin()
    crops.migration(ADD_COLOUR)
    return crops


def told_plan(mailbox: Mailbox, other_than: str = "") -> str:
    """The hash in the letter that tells the plan."""
    eventually(
        lambda: mailbox.event("plan").get("hash", other_than) != other_than, "no plan is reported"
    )
    return str(mailbox.event("plan")["hash"])


def is_untouched(rows: Rows) -> bool:
    return rows.columns() == {"id", "name"} and rows.attempts() == [] and rows.locks() == 0


def stays_shut(migrate: Program) -> dict[str, Any]:
    failed = migrate.event("failed")
    assert migrate.named("succeeded") == []
    assert migrate.named("applying") == []
    return failed


def test_a_plan_is_applied_when_it_is_permitted_and_not_before(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    migrate = pending.gate(runner, mailbox=mailbox)
    plan = told_plan(mailbox)
    eventually(lambda: mailbox.polls > 2, "nothing polls for the permit")
    assert is_untouched(rows)

    mailbox.put_permit(plan=plan)

    done = migrate.event("succeeded")
    assert done["migrations"] == ["crops.0002_change"]
    assert migrate.event("permitted")["hash"] == plan
    eventually(lambda: mailbox.event("result") == done, "no result")
    assert "colour" in rows.columns()


def test_an_empty_plan_needs_nobody_also_when_everything_is_gone(
    runner: Runner, crops: Project, mailbox: Mailbox, rows: Rows
) -> None:
    rows.begin()
    mailbox.refusal = (404, "NoSuchBucket", "The specified bucket does not exist")
    migrate = crops.gate(runner, mailbox=mailbox)
    assert migrate.event("succeeded")["migrations"] == []
    assert mailbox.polls == 0


def test_an_empty_plan_is_reported(
    runner: Runner, crops: Project, mailbox: Mailbox, rows: Rows
) -> None:
    rows.begin()
    crops.gate(runner, mailbox=mailbox)
    eventually(lambda: bool(mailbox.event("result")), "no result")
    assert mailbox.event("plan")["count"] == 0
    assert mailbox.event("result")["event"] == "succeeded"


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "held",
    [
        {"plan": "0" * 32},
        pytest.param({"plan": "unknown"}, marks=pytest.mark.slow),
        {"release": "another-release"},
        {"state": "void"},
        pytest.param({"state": "pending"}, marks=pytest.mark.slow),
        {"until": 1},
    ],
    ids=str,
)
def test_no_other_permit_applies_anything(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows, held: dict[str, Any]
) -> None:
    mailbox.limits["patienceSeconds"] = 5
    migrate = pending.gate(runner, mailbox=mailbox)
    plan = told_plan(mailbox)

    mailbox.put_permit(**{"plan": plan, **held})

    failed = stays_shut(migrate)
    assert failed["cause"] == "permit"
    assert failed["database"] == "unchanged"
    assert is_untouched(rows)


def permitted_for_what_has_changed(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> tuple[Program, str]:
    """A gate whose plan another one has applied a part of, while it waited for the lock."""
    pending.migration(ADD_COLOUR.replace("colour", "size"))
    rows(TAKE_LOCK)
    migrate = pending.gate(runner, mailbox=mailbox)
    first = told_plan(mailbox)
    mailbox.put_permit(plan=first)
    eventually(lambda: "held by another gate" in str(migrate.events), "it does not wait", migrate)
    rows("alter table crops_crop add column colour text")
    rows("insert into django_migrations (app, name) values ('crops', '0002_change')")
    rows(FREE_LOCK)
    return migrate, first


def test_a_plan_that_has_changed_under_the_lock_needs_another_permit(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    migrate, first = permitted_for_what_has_changed(runner, pending, mailbox, rows)

    second = told_plan(mailbox, other_than=first)
    looks = mailbox.polls
    eventually(lambda: mailbox.polls > looks + 2, "nothing polls for the permit")
    assert "size" not in rows.columns()
    mailbox.put_permit(plan=second)

    assert migrate.event("succeeded")["migrations"] == ["crops.0003_change"]
    assert [one["hash"] for one in migrate.named("permitted")] == [first, second]


@pytest.mark.slow
def test_a_gate_that_waits_for_a_second_permit_fails_when_the_lock_is_lost(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    migrate, first = permitted_for_what_has_changed(runner, pending, mailbox, rows)
    told_plan(mailbox, other_than=first)

    rows(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
        " and classid = 1279743045"
    )

    failed = stays_shut(migrate)
    assert (failed["cause"], failed["detail"]) == ("lock", "lost")
    assert failed["database"] == "unchanged"
    assert "size" not in rows.columns()


@pytest.mark.slow
def test_a_permit_does_not_outlast_the_wait_for_the_lock(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    rows(TAKE_LOCK)
    migrate = pending.gate(runner, mailbox=mailbox)
    mailbox.put_permit(plan=told_plan(mailbox), until=time.time() + 6)

    failed = stays_shut(migrate)
    rows(FREE_LOCK)

    assert (failed["cause"], failed["detail"]) == ("lock", "not free")
    assert is_untouched(rows)


EXPIRED = (403, "AccessDenied", "Request has expired")


@pytest.mark.slow
def test_a_node_relaunched_long_afterwards_opens(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    first = pending.gate(runner, mailbox=mailbox)
    mailbox.put_permit(plan=told_plan(mailbox))
    first.event("succeeded")
    mailbox.refusal = EXPIRED

    again = pending.gate(runner, mailbox=mailbox)

    assert again.event("succeeded")["migrations"] == []
    assert len(rows.attempts()) == 1


def test_a_node_relaunched_on_a_restored_database_does_not_migrate_it(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    first = pending.gate(runner, mailbox=mailbox)
    mailbox.put_permit(plan=told_plan(mailbox))
    first.event("succeeded")
    rows("alter table crops_crop drop column colour; drop table lightgate_attempt")
    rows("delete from django_migrations where name = '0002_change'")
    mailbox.refusal = EXPIRED

    failed = stays_shut(pending.gate(runner, mailbox=mailbox))

    assert failed["cause"] == "mailbox"
    assert "Request has expired" in failed["error"]
    assert is_untouched(rows)


def test_of_several_gates_with_one_permit_one_migrates_and_all_open(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    gates = [pending.gate(runner, mailbox=mailbox) for _ in range(3)]
    mailbox.put_permit(plan=told_plan(mailbox))

    done = [gate.event("succeeded")["migrations"] for gate in gates]

    assert sorted(done) == [[], [], ["crops.0002_change"]]
    assert [(release, state) for release, state, _ in rows.attempts()] == [(RELEASE, "succeeded")]


def test_a_failed_migration_is_not_permitted_into_a_second_attempt(
    runner: Runner, crops: Project, mailbox: Mailbox, rows: Rows
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR + ', migrations.RunSQL("select 1 / 0")')
    first = crops.gate(runner, mailbox=mailbox, afterFailure="exit")
    mailbox.put_permit(plan=told_plan(mailbox))
    assert first.ends() == 1
    assert mailbox.event("result") == first.event("failed")

    again = crops.gate(runner, mailbox=mailbox)

    assert again.event("failed")["cause"] == "attempt"
    assert again.named("permitted") == []


def test_a_replaced_migrate_command_has_an_unknown_plan_and_needs_a_permit_too(
    runner: Runner, crops: Project, mailbox: Mailbox, rows: Rows
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    crops.own_migrate("    def handle(self, *a, **k):\n        super().handle(*a, **k)\n")
    migrate = crops.gate(runner, mailbox=mailbox)
    assert told_plan(mailbox) == "unknown"
    eventually(lambda: mailbox.polls > 1, "nothing polls for the permit")
    assert "colour" not in rows.columns()

    mailbox.put_permit()

    migrate.event("succeeded")
    assert "colour" in rows.columns()


@pytest.mark.slow
def test_a_node_that_waits_for_a_permit_opens_when_another_one_has_applied_everything(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    pending.migration(sql("select pg_sleep(3)"))
    first = pending.gate(runner, mailbox=mailbox)
    whole = told_plan(mailbox)
    mailbox.put_permit(plan=whole)
    eventually(lambda: "0003" in str(first.named("applying")), "not in the second", first)

    second = pending.gate(runner, mailbox=mailbox)
    assert told_plan(mailbox, other_than=whole)

    assert second.event("succeeded")["migrations"] == []
    assert second.named("permitted") == []
    assert [(release, state) for release, state, _ in rows.attempts()] == [(RELEASE, "succeeded")]


@pytest.mark.slow
def test_a_node_that_waits_for_a_permit_reports_what_is_left_of_its_plan(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    pending.migration(ADD_COLOUR.replace("colour", "size"))
    migrate = pending.gate(runner, mailbox=mailbox)
    whole = told_plan(mailbox)
    rows("alter table crops_crop add column colour text")
    rows("insert into django_migrations (app, name) values ('crops', '0002_change')")

    rest = told_plan(mailbox, other_than=whole)
    # What was asked for first is not what is asked for now.
    mailbox.put_permit(plan=whole)
    looks = mailbox.polls
    eventually(lambda: mailbox.polls > looks + 2, "nothing polls for the permit")
    assert migrate.named("permitted") == []
    mailbox.put_permit(plan=rest)

    assert migrate.event("succeeded")["migrations"] == ["crops.0003_change"]
    assert [one["hash"] for one in migrate.named("permitted")] == [rest]


@pytest.mark.slow
def test_a_database_that_is_away_while_a_permit_is_waited_for_costs_nothing(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    migrate = pending.gate(runner, mailbox=mailbox)
    plan = told_plan(mailbox)
    for _ in range(6):
        rows(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        time.sleep(1)

    mailbox.put_permit(plan=plan)

    assert migrate.event("succeeded")["migrations"] == ["crops.0002_change"]


@pytest.mark.slow
def test_a_permit_that_has_run_out_once_the_lock_is_there_applies_nothing(
    runner: Runner, pending: Project, mailbox: Mailbox, rows: Rows
) -> None:
    rows(TAKE_LOCK)
    migrate = pending.gate(runner, mailbox=mailbox)
    until = time.time() + 8
    mailbox.put_permit(plan=told_plan(mailbox), until=until)
    eventually(lambda: "held by another gate" in str(migrate.events), "it does not wait", migrate)
    rows("begin")
    rows("lock table django_migrations")
    rows(FREE_LOCK)
    time.sleep(max(0, until - time.time()) + 1.5)  # the mailbox's clock has whole seconds only
    rows("commit")

    assert stays_shut(migrate)["error"] == "the permit has expired"
    assert is_untouched(rows)


@pytest.mark.parametrize(
    ("classifier", "why"),
    [
        (b"def main(*_): return []", "the classifier is not the one of this release"),
        (b"", "the classifier is not the one of this release"),
        (None, "out of reach for 1 s: 403 AccessDenied Access Denied"),
    ],
)
def test_a_plan_that_cannot_be_judged_is_not_applied(
    runner: Runner,
    pending: Project,
    mailbox: Mailbox,
    rows: Rows,
    classifier: bytes | None,
    why: str,
) -> None:
    if classifier is None:
        del mailbox.objects["classifier"]
        mailbox.limits["reachSeconds"] = 1
    else:
        mailbox.objects["classifier"] = classifier
    failed = stays_shut(pending.gate(runner, mailbox=mailbox))
    assert (failed["cause"], failed["error"]) == ("mailbox", why)
    assert failed["database"] == "unchanged"
    assert is_untouched(rows)


def test_a_classifier_that_comes_late_is_waited_for(
    runner: Runner, pending: Project, mailbox: Mailbox
) -> None:
    text = mailbox.objects.pop("classifier")
    migrate = pending.gate(runner, mailbox=mailbox)
    eventually(lambda: mailbox.misses > 2, "nothing requests the classifier")
    assert mailbox.event("plan") == {}
    mailbox.objects["classifier"] = text
    mailbox.put_permit(plan=told_plan(mailbox))
    migrate.event("succeeded")
