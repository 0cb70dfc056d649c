"""CIFAR archives of both formats load; broken ones end in one error that names the file."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from dynaconv.data import TensorImages, load_data
from dynaconv.errors import ArgumentError, DataError


@pytest.mark.parametrize("form", ["binary", "python"])
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_archive_loads_what_was_written(name: str, form: str, tmp_path: Path, request) -> None:
    maker = request.getfixturevalue(name)
    maker.archive(tmp_path, form)
    data = load_data(name, root=tmp_path)
    assert (data.name, data.channels, data.image_size) == (name, 3, (32, 32))
    assert len(data.classes) == (10 if name == "cifar10" else 100)
    assert isinstance(data.train, TensorImages)
    assert isinstance(data.test, TensorImages)
    *train, test = maker.pixels
    for part, files in ((data.train, train), (data.test, [test])):
        pixels = np.concatenate([maker.pixels[file] for file in files]).reshape(-1, 3, 32, 32)
        assert torch.equal(part.images, torch.from_numpy(pixels))
        assert part.labels.tolist() == [label for file in files for label in maker.labels[file]]


@pytest.mark.parametrize("form", ["binary", "python"])
def test_extracted_folder_and_its_parent_load(form: str, cifar10, tmp_path: Path) -> None:
    archive = cifar10.archive(tmp_path, form)
    whole = load_data("cifar10", root=archive)
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    archive.unlink()
    folder, _ = getattr(cifar10, form)()
    for root in (tmp_path, tmp_path / folder):
        assert torch.equal(load_data("cifar10", root=root).train.images, whole.train.images)


def test_images_are_resized_once_at_load(cifar10, tmp_path: Path) -> None:
    cifar10.archive(tmp_path, "binary")
    data = load_data("cifar10", root=tmp_path, image_size=(16, 24))
    assert data.image_size == (16, 24)
    assert data.train.images.shape == (30, 3, 16, 24)
    assert data.train.images.dtype == torch.uint8


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("form", ["binary", "python"])
def test_truncated_archive(form: str, kept: float, cifar10, tmp_path: Path) -> None:
    path = cifar10.archive(tmp_path, form)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(DataError, match=r"cifar-10-.*\.tar\.gz: (broken or truncated archive|lacks)"):
        load_data("cifar10", root=tmp_path)


@pytest.mark.parametrize("place", [0, 5, 0.5, -6])
def test_one_flipped_byte_is_found(place: float, cifar10, tmp_path: Path) -> None:
    path = cifar10.archive(tmp_path, "binary")
    data = bytearray(path.read_bytes())
    data[int(len(data) * place) if isinstance(place, float) else place] ^= 0x40
    path.write_bytes(data)
    if place == 5:  # the gzip header's time stamp: no content changes
        load_data("cifar10", root=tmp_path)
        return
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz: "):
        load_data("cifar10", root=tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_not_an_archive(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "cifar-100-python.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"cifar-100-python\.tar\.gz: broken or truncated archive .*fetch it again"):
        load_data("cifar100", root=tmp_path)


def test_checksum_beside_the_archive_is_checked(cifar10, tmp_path: Path) -> None:
    path = cifar10.archive(tmp_path, "binary")
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    beside = path.with_name(path.name + ".md5")
    beside.write_text(f"{md5}  {path.name}\n")
    load_data("cifar10", root=tmp_path)
    beside.write_text("0" * 32)
    with pytest.raises(DataError, match=rf"binary\.tar\.gz: wrong checksum: expected MD5 {'0' * 32}, found {md5}"):
        load_data("cifar10", root=tmp_path)
    beside.write_text("what?")
    with pytest.raises(DataError, match=r"tar\.gz\.md5: holds no MD5: expected 32 hexadecimal digits"):
        load_data("cifar10", root=tmp_path)


def test_file_of_the_published_size_must_have_the_published_checksum(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-binary.tar.gz"
    with path.open("wb") as file:
        file.truncate(170_052_171)
    with pytest.raises(DataError, match="wrong checksum: expected MD5 c32a1d4ab5d03f1284b67883e8d87530, found"):
        load_data("cifar10", root=tmp_path)


BAD_FILES = [
    ({"test_batch.bin": None}, r"lacks test_batch\.bin"),
    ({"data_batch_2.bin": b"\0" * 3000}, r"data_batch_2\.bin: truncated: 3000 bytes, expected a multiple of 3073"),
    ({"data_batch_2.bin": b""}, r"data_batch_2\.bin: truncated: 0 bytes"),
    ({"data_batch_3.bin": b"\x0a" + b"\0" * 3072}, r"data_batch_3\.bin: labels from 10 to 10, expected 0 to 9"),
]


@pytest.mark.parametrize(("changed", "problem"), BAD_FILES)
def test_bad_file_in_the_archive(changed: dict, problem: str, cifar10, tmp_path: Path) -> None:
    path = cifar10.archive(tmp_path, "binary", **changed)
    with pytest.raises(DataError, match=problem) as caught:
        load_data("cifar10", root=tmp_path)
    assert str(caught.value).startswith(str(path))


def test_nothing_is_extracted_and_odd_members_are_ignored(cifar10, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    cifar10.archive(root, "binary", **{"../../../outside": b"x", "readme.html": b"y"})
    load_data("cifar10", root=root)
    assert [path.name for path in tmp_path.rglob("*")] == ["root", "cifar-10-binary.tar.gz"]


def test_link_in_place_of_a_file_is_not_followed(cifar10, tmp_path: Path) -> None:
    folder, files = cifar10.binary()
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name in files:
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry)
    with pytest.raises(DataError, match=r"lacks data_batch_1\.bin"):
        load_data("cifar10", root=tmp_path)


def test_member_too_large_is_refused_before_it_is_read(cifar10, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("dynaconv.data.members._MOST_BYTES", 1000)
    cifar10.archive(tmp_path, "binary")
    with pytest.raises(DataError, match=r"data_batch_1\.bin: 18438 bytes, expected at most 1000"):
        load_data("cifar10", root=tmp_path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no cifar10: expected one of cifar-10-binary\.tar\.gz .*download=True"):
        load_data("cifar10", root=tmp_path)
    with pytest.raises(DataError, match="nowhere: no such file or folder"):
        load_data("cifar10", root=tmp_path / "nowhere")
    with pytest.raises(ArgumentError, match="root=None: expected the folder that holds the files of cifar10"):
        load_data("cifar10")


def test_unreadable_file_is_named(cifar10, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, files = cifar10.binary()
    (tmp_path / folder).mkdir()
    for name, data in files.items():
        (tmp_path / folder / name).write_bytes(data)

    def deny(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", deny)
    with pytest.raises(DataError, match=r"data_batch_1\.bin: cannot be read \(Permission denied\)"):
        load_data("cifar10", root=tmp_path)
