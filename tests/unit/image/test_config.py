"""What the registry says of an image."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.errors import RefusedError
from lightgate.image.config import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    ImageConfig,
    Manifest,
    artifact_type,
    config_digest,
    parse_config,
    platform_digest,
)
from lightgate.image.tags import is_artifact_tag
from tests.component.artifacts import ARTIFACTS, IMAGES
from tests.support.builders import DIGEST, Json, reasons_of
from tests.support.strategies import JSON_VALUES

CHILD = "sha256:" + "c" * 64


def manifest(document: object, media_type: str = MANIFEST_TYPES[1]) -> Manifest:
    text = document if isinstance(document, str) else json.dumps(document)
    return Manifest(digest=DIGEST, text=text, media_type=media_type)


def index(*platforms: str) -> Manifest:
    entries = []
    for number, platform in enumerate(platforms):
        system, architecture = platform.split("/")
        digest = CHILD if platform == "linux/amd64" else f"sha256:{number}"
        entries.append({"digest": digest, "platform": {"os": system, "architecture": architecture}})
    return manifest({"manifests": entries}, INDEX_TYPES[1])


def config(**changes: object) -> bytes:
    document: Json = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["gunicorn"]}}
    return json.dumps(document | changes).encode()


def test_a_single_image_is_deployed_itself() -> None:
    assert platform_digest(manifest({"config": {"digest": CHILD}})) is None


def test_the_image_of_an_index_that_lightsail_runs_is_deployed() -> None:
    assert platform_digest(index("linux/arm64", "linux/amd64", "unknown/unknown")) == CHILD


def test_an_index_is_recognised_without_its_media_type() -> None:
    found = index("linux/amd64")

    assert platform_digest(manifest(found.text, "application/json")) == CHILD


def test_an_index_for_other_platforms_is_refused_with_the_way_out() -> None:
    with pytest.raises(RefusedError) as caught:
        platform_digest(index("linux/arm64", "unknown/unknown"))

    assert list(caught.value.reasons) == [
        f"the image {DIGEST} has no linux/amd64 variant, which is all that Lightsail runs; it has "
        "linux/arm64, unknown/unknown. Build it with docker build --platform linux/amd64."
    ]


@pytest.mark.parametrize("text", ["", "[]", "no json", "[" * 100_000, '{"manifests": [5]}'])
def test_an_index_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match=f"^the manifest of {DIGEST} cannot be read$"):
        platform_digest(manifest(text, INDEX_TYPES[0]))


def test_a_manifest_names_its_configuration() -> None:
    assert config_digest(manifest({"config": {"digest": CHILD}})) == CHILD


@pytest.mark.parametrize("document", [{}, {"config": None}, {"config": {}}])
def test_a_manifest_without_a_configuration_is_refused(document: object) -> None:
    with pytest.raises(RefusedError, match=f"^the manifest of {DIGEST} has no configuration$"):
        config_digest(manifest(document))


def test_a_configuration_tells_what_a_container_would_run() -> None:
    blob = config(config={"Cmd": ["gunicorn", "crops.wsgi"], "Entrypoint": ["/entry.sh"]})

    expected = ImageConfig(
        command=("gunicorn", "crops.wsgi"), entrypoint=("/entry.sh",), architecture="amd64"
    )
    assert expected == parse_config(blob)


@pytest.mark.parametrize("inner", [None, {}, {"Cmd": None, "Entrypoint": None}])
def test_an_image_may_have_no_command(inner: object) -> None:
    parsed = parse_config(config(config=inner))

    assert (parsed.command, parsed.entrypoint) == ((), ())


@pytest.mark.parametrize(
    ("architecture", "found"), [("arm64", "arm64"), (None, "an unknown architecture")]
)
def test_an_image_for_another_architecture_is_refused(architecture: str | None, found: str) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_config(config(architecture=architecture))

    assert list(caught.value.reasons) == [
        f"the image is built for {found}, and Lightsail runs amd64 only. "
        "Build it with docker build --platform linux/amd64."
    ]


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\xff",
        b"[]",
        b"5",
        b"[" * 100_000,
        config(config="gunicorn"),
        config(config={"Cmd": "gunicorn"}),
        config(config={"Cmd": [1]}),
        config(config={"Cmd": ["\ud800"]}),
        config(config={"Entrypoint": {"a": "b"}}),
    ],
)
def test_a_configuration_of_another_shape_is_refused(blob: bytes) -> None:
    expected = "^the configuration of the image cannot be read$"
    with pytest.raises(RefusedError, match=expected):
        parse_config(blob)


@pytest.mark.parametrize("document", ARTIFACTS.values(), ids=ARTIFACTS)
def test_artifacts_are_recognised_by_their_manifest(document: Json) -> None:
    assert artifact_type(manifest(document, document["mediaType"]))


@pytest.mark.parametrize("document", IMAGES.values(), ids=IMAGES)
def test_a_manifest_that_may_be_an_image_counts_as_one(document: Json) -> None:
    media_type = document.get("mediaType", MANIFEST_TYPES[0])

    assert artifact_type(manifest(document, media_type)) is None


@pytest.mark.parametrize("text", ["", "[]", "no json", "[" * 100_000])
def test_a_manifest_that_cannot_be_read_is_taken_for_an_image(text: str) -> None:
    assert artifact_type(manifest(text)) is None


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        *((f"sha256-{'a' * 64}.{kind}", True) for kind in ("sig", "att", "sbom")),
        (f"sha256-{'a' * 64}", False),
        (f"sha256-{'a' * 63}.sig", False),
        (f"v1-sha256-{'a' * 64}.sig", False),
        ("latest.sig", False),
        ("latest", False),
    ],
)
def test_the_tags_of_cosign_are_known(tag: str, *, expected: bool) -> None:
    assert is_artifact_tag(tag) is expected


@given(JSON_VALUES, JSON_VALUES, st.sampled_from([*MANIFEST_TYPES, *INDEX_TYPES]))
def test_no_manifest_breaks_the_recognition_of_artifacts(
    one: object, other: object, media_type: str
) -> None:
    for document in (
        {"config": one, "layers": other, "subject": other, "artifactType": one},
        {"config": {"mediaType": one}, "layers": [other]},
        {"manifests": [{"mediaType": one, "platform": other, "artifactType": other}]},
    ):
        assert artifact_type(manifest(document, media_type)) != ""


@given(JSON_VALUES, st.sampled_from([*MANIFEST_TYPES, *INDEX_TYPES]))
def test_nothing_in_a_manifest_raises_anything_but_a_refusal(
    document: object, media_type: str
) -> None:
    found = manifest({"manifests": document, "config": document}, media_type)

    for reason in (
        *reasons_of(lambda: platform_digest(found)),
        *reasons_of(lambda: config_digest(found)),
    ):
        assert DIGEST in reason


def test_of_the_environment_only_what_tells_a_server_where_to_listen_is_read() -> None:
    env = ["PORT=8000", "GUNICORN_CMD_ARGS=--bind=:8000", "SECRET_KEY=hunter2", "PATH=/bin", "X", 7]

    config = parse_config(json.dumps({"architecture": "amd64", "config": {"Env": env}}))

    assert config.environment == {"PORT": "8000", "GUNICORN_CMD_ARGS": "--bind=:8000"}


NO_DIGESTS = [
    None,
    7,
    "",
    [],
    {"a": 1},
    "../../x",
    "sha256:",
    "sha256:\x1b[31m",
    "\ud800",
    "x" * 9999,
]


@pytest.mark.parametrize("digest", NO_DIGESTS)
def test_an_invalid_digest_is_not_requested_from_the_registry(digest: object) -> None:
    platform = {"os": "linux", "architecture": "amd64"}

    with pytest.raises(RefusedError, match="has no configuration"):
        config_digest(manifest({"config": {"digest": digest}}))
    with pytest.raises(RefusedError, match="cannot be read"):
        platform_digest(manifest({"manifests": [{"digest": digest, "platform": platform}]}))


@pytest.mark.parametrize("platform", ["\x1b[31mred\x07\u202e", "x" * 100_000])
def test_a_refusal_quotes_no_image_at_length_or_with_its_control_characters(platform: str) -> None:
    of_config = reasons_of(lambda: parse_config(config(architecture=platform)))
    many = [{"platform": {"os": platform}}, *({"platform": {"os": f"os-{n}"}} for n in range(9999))]
    of_index = reasons_of(lambda: platform_digest(manifest({"manifests": many})))

    for [reason] in (of_config, of_index):
        assert reason.isprintable()
        assert len(reason) < 2500
        assert reason.endswith("Build it with docker build --platform linux/amd64.")
