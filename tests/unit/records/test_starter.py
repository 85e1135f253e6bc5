"""What has started a release, and who."""

import pytest

from lightgate.image.tags import PushedImage
from lightgate.records.release_record import StartedBy
from lightgate.records.starter import starter_of
from lightgate.release.request import Push, broken_spec_request, missed_request, push_request
from lightgate.release.unchecked_request import requested_starter
from tests.support.builders import DIGEST, STARTED

PUSH = Push(event_id="1", at=STARTED, repository="crops", tag="v1", digest=DIGEST)
IMAGE = PushedImage(digest=DIGEST, tag="v1", pushed_at=STARTED)


@pytest.mark.parametrize(
    ("request_input", "starter"),
    [
        (push_request("crops", PUSH), StartedBy.PUSH),
        (missed_request("crops", "crops", IMAGE), StartedBy.RECONCILE),
        (broken_spec_request("crops"), StartedBy.RECONCILE),
        ({"app": "crops", "tag": "v1"}, StartedBy.PERSON),
        ({"app": "crops", "startedBy": "push", "reason": "push of crops:v1"}, StartedBy.PERSON),
        ({"app": "crops", "foundByReconcile": "yes"}, StartedBy.PERSON),
        (None, StartedBy.PERSON),
    ],
)
def test_the_input_says_what_has_started_the_release(
    request_input: object, starter: StartedBy
) -> None:
    assert starter_of(request_input) is starter


@pytest.mark.parametrize(
    ("given", "person"),
    [("ada", "ada"), ("", None), ("x" * 501, None), (5, None), ("a\ud800\nb", "a  b")],
)
def test_the_person_is_known_also_of_a_refused_release(given: object, person: str | None) -> None:
    assert requested_starter({"app": 5, "startedBy": given}) == person
