"""Whole rehearsals: what they create, what they tell, and what is left."""

from tests.workflow.rehearsals.rehearsal_world import MIGRATION, RehearsalWorld, rehearsed


def test_a_rehearsal_measures_on_a_copy_and_leaves_nothing_behind(
    rehearsals: RehearsalWorld,
) -> None:
    walk = rehearsals.rehearse()

    record = rehearsals.record()
    print(walk.passed, record, walk.data)
    assert record.status == "SUCCEEDED"
    assert rehearsals.services == []
    assert rehearsals.instances == {}
