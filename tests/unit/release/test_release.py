"""Names that follow from a release, and limits of those who take them."""

import json
import re
from datetime import timedelta, timezone

from lightgate.codec import decode, encode
from lightgate.names import (
    execution_name,
    is_digest,
    pin_tag,
    release_id,
    rollback_marker,
    start_of,
)
from lightgate.release.release import Release
from lightgate.spec.migration_policy import Policy
from tests.support.builders import DIGEST, EXECUTION, RELEASE, STARTED, admitted


def test_a_release_id_has_time_image_and_execution() -> None:
    release = release_id(EXECUTION, STARTED, DIGEST)

    assert re.fullmatch(r"20261116t015434z-7f5b2640-[0-9a-f]{4}", release)
    assert re.fullmatch(r"\d{8}t\d{6}z-[0-9a-f]{8}-[0-9a-f]{4}", release)
    assert release == release_id(EXECUTION, STARTED, DIGEST)
    assert release != release_id(EXECUTION + "2", STARTED, DIGEST)


def test_a_release_id_is_in_utc_wherever_the_time_comes_from() -> None:
    elsewhere = STARTED.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert release_id(EXECUTION, elsewhere, DIGEST) == release_id(EXECUTION, STARTED, DIGEST)
    assert start_of(release_id(EXECUTION, elsewhere, None)) == STARTED.replace(microsecond=0)


def test_a_release_refused_before_its_image_is_known_has_zeros() -> None:
    assert release_id(EXECUTION, STARTED, None).startswith("20261116t015434z-00000000-")


def test_a_pin_tag_is_the_beginning_of_the_digest() -> None:
    assert pin_tag(DIGEST) == "lightgate-7f5b2640fe6f"


def test_an_event_names_one_execution_per_app_and_event() -> None:
    name = execution_name("crops", DIGEST, "event-1")

    assert name == execution_name("crops", DIGEST, "event-1")
    assert name != execution_name("crops", DIGEST, "event-2")
    assert name != execution_name("other", DIGEST, "event-1")
    assert name.startswith("crops-7f5b2640fe6f-")


def test_a_digest_is_sha256_and_64_hexadecimal_digits() -> None:
    assert is_digest(DIGEST)
    assert not is_digest(DIGEST[:-1])
    assert not is_digest(DIGEST.upper())
    assert not is_digest(DIGEST + "\n")


def test_a_release_survives_the_state_machine() -> None:
    release = admitted(
        repository="team/crops",
        command=("python", "manage.py", "migrate", "crops", "0007"),
        gates=("migrate", "check"),
        allow_destructive=True,
        asking_gates={"migrate": timedelta(seconds=310)},
        policy=Policy.BLOCK,
        platform_patience=timedelta(seconds=900),
        open_variables={"web": ("DJANGO_SETTINGS_MODULE", "DEBUG"), "migrate": ()},
        service_since=STARTED,
    )

    assert decode(Release, json.loads(json.dumps(encode(release)))) == release


def test_a_release_that_was_admitted_before_an_update_counts_every_variable_as_a_secret() -> None:
    document = encode(admitted(open_variables={"web": ("DEBUG",)}))
    del document["openVariables"]

    assert decode(Release, document).open_variables == {}


def test_a_release_that_was_admitted_before_an_update_has_an_unknown_spec_and_service() -> None:
    document = encode(admitted(service_since=STARTED))
    del document["specDigest"], document["serviceSince"]

    found = decode(Release, document)

    assert (found.spec, found.service_since) == (None, None)


def test_a_rollback_has_its_own_marker() -> None:
    assert rollback_marker(RELEASE) not in ("", RELEASE)
