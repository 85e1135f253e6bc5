"""Images without Docker."""

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from local.cloud import registry
from local.cloud.errors import LocalCloudError
from local.cloud.registry import Image, ImageConfig
from tests.local.conftest import Account


def write(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def layer(image: Image) -> tarfile.TarFile:
    digest = json.loads(image.manifest)["layers"][0]["digest"]
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(image.blobs[digest])))


def test_the_same_files_give_the_same_image_whenever_they_were_written(tmp_path: Path) -> None:
    first = write(tmp_path / "first", a="1", b="2")
    second = write(tmp_path / "second", b="2", a="1")
    os.utime(second / "a", (1, 1))

    images = [registry.build([folder], ImageConfig(cmd=["a"])) for folder in (first, second)]

    assert images[0] == images[1]


@pytest.mark.parametrize("config", [ImageConfig(cmd=["b"]), ImageConfig(env={"A": "1"})])
def test_another_configuration_gives_another_image(config: ImageConfig, tmp_path: Path) -> None:
    folder = write(tmp_path / "app", a="1")

    assert registry.build([folder], config).digest != registry.build([folder], ImageConfig()).digest


def test_a_later_folder_replaces_files_of_an_earlier_one(tmp_path: Path) -> None:
    base = write(tmp_path / "base", kept="base", replaced="base")
    overlay = write(tmp_path / "overlay", replaced="overlay", added="overlay")

    with layer(registry.build([base, overlay], ImageConfig())) as archive:
        texts = {
            name: file.read().decode()
            for name in archive.getnames()
            if (file := archive.extractfile(name))
        }

    assert texts == {"app/added": "overlay", "app/kept": "base", "app/replaced": "overlay"}


def test_a_program_stays_executable_and_compiled_files_stay_out(tmp_path: Path) -> None:
    folder = write(tmp_path / "app", **{"manage.py": ""})
    (folder / "manage.py").chmod(0o744)
    write(folder / "__pycache__", **{"manage.pyc": ""})

    with layer(registry.build([folder], ImageConfig())) as archive:
        modes = {entry.name: entry.mode for entry in archive}

    assert modes == {"app/manage.py": 0o755}


def test_a_push_to_a_repository_that_is_not_there_says_so(account: Account, tmp_path: Path) -> None:
    image = registry.build([write(tmp_path / "app", a="1")], ImageConfig())

    with pytest.raises(LocalCloudError, match=r"the registry refused POST .*404"):
        registry.push(account.url, "nowhere", "latest", image)
