"""Fashion-MNIST's IDX files load; broken ones end in one error that names the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from support.data_files import idx, write_fashion_mnist

from dynaconv.data import load_data
from dynaconv.errors import DataError

Write = Callable[..., Path]


@pytest.fixture
def fashion(tmp_path: Path) -> Write:
    """Writes Fashion-MNIST's four files, with files replaced by name."""
    return partial(write_fashion_mnist, tmp_path)


@pytest.mark.parametrize("compress", [True, False])
def test_files_load_with_a_border_of_two(compress: bool, fashion: Write) -> None:
    root = fashion(compress)
    data = load_data("fashion-mnist", root=root)
    assert (data.channels, data.image_size, len(data.classes)) == (1, (32, 32), 10)
    assert (len(data.train), len(data.test)) == (5, 3)
    original = load_data("fashion-mnist", root=root, image_size=28)
    assert original.image_size == (28, 28)
    assert torch.equal(data.train.images[..., 2:30, 2:30], original.train.images)
    assert data.train.images.sum() == original.train.images.sum()
    assert load_data("fashion-mnist", root=root, image_size=40).train.images.shape == (5, 1, 40, 40)


def test_missing_folder_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynaconv.data.fashion_mnist._DEBIAN_FOLDER", tmp_path / "absent")
    with pytest.raises(DataError, match=r"absent: no such folder; install .*apt install dataset-fashion-mnist.* root="):
        load_data("fashion-mnist")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: no such file, nor .*gz; install"):
        load_data("fashion-mnist", root=tmp_path)


IMAGES = idx(np.zeros((5, 28, 28), np.uint8))
LABELS = idx(np.arange(5, dtype=np.uint8))


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize(
    ("kind", "content", "problem"),
    [
        ("images_idx3", b"", "not an IDX file: it starts with nothing"),
        ("images_idx3", b"PK\3\4abc", "not an IDX file: it starts with 50 4b 03 04, expected 00 00"),
        ("images_idx3", b"\0\0\x0d\3" + IMAGES[4:], "IDX data type 0x0d, expected 0x08 (unsigned bytes)"),
        ("images_idx3", LABELS, "an IDX array of 1 dimensions, expected 3"),
        ("images_idx3", IMAGES[:9], "truncated inside the IDX header"),
        ("images_idx3", IMAGES[:-1], "holds only 3919 bytes after the header, expected 3920 for shape (5, 28, 28)"),
        ("images_idx3", IMAGES + b"x", "holds more bytes after the header, expected 3920"),
        ("images_idx3", IMAGES[:4] + b"\xff" * 12, "expected 1 to 1073741824 bytes"),
        ("images_idx3", idx(np.zeros((5, 20, 28), np.uint8)), "images of (20, 28) pixels, expected (28, 28)"),
        ("labels_idx1", LABELS[:-1] + b"\x0a", "label 10, expected 0 to 9"),
        ("labels_idx1", idx(np.arange(4, dtype=np.uint8)), "4 labels for the 5 images of train-images-idx3-ubyte"),
    ],
)
def test_bad_content(kind: str, content: bytes, problem: str, compress: bool, fashion: Write) -> None:
    root = fashion(compress, **{f"train_{kind}_ubyte": content})
    with pytest.raises(DataError, match=re.escape(problem)) as caught:
        load_data("fashion-mnist", root=root)
    assert f"train-{kind.replace('_', '-')}-ubyte" in caught.value.path.name


@pytest.mark.parametrize("damage", ["truncated", "checksum", "not gzip"])
def test_bad_gzip(damage: str, fashion: Write) -> None:
    path = fashion() / "t10k-images-idx3-ubyte.gz"
    data = bytearray(path.read_bytes())
    if damage == "checksum":
        data[-8] ^= 1
    path.write_bytes({"truncated": data[:-100], "checksum": data, "not gzip": IMAGES}[damage])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: broken or truncated file \(.*fetch it again"):
        load_data("fashion-mnist", root=path.parent)


def test_checksum_beside_the_file(fashion: Write) -> None:
    path = fashion() / "train-labels-idx1-ubyte.gz"
    path.with_name(path.name + ".md5").write_text("f" * 32)
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz: wrong checksum"):
        load_data("fashion-mnist", root=path.parent)


def test_gzipped_file_is_preferred(fashion: Write) -> None:
    root = fashion(compress=True)
    (root / "train-images-idx3-ubyte").write_bytes(b"junk")
    load_data("fashion-mnist", root=root)
