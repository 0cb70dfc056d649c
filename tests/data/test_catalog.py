"""`load_data`, the digits, the common containers, downloads, and missing packages."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch.utils.data import DataLoader

from dynaconv.data import ImageData, TensorImages, list_data, load_data
from dynaconv.data.digits import load_digits
from dynaconv.errors import ArgumentError, DataError, MissingExtraError, ShapeError


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return load_data("digits")


def test_names() -> None:
    assert list_data() == ["digits", "fashion-mnist", "cifar10", "cifar100", "svhn", "imagefolder"]
    with pytest.raises(ArgumentError, match="name='mnist': expected one of digits, fashion-mnist, cifar10"):
        load_data("mnist")


def test_digits_are_split_the_same_way_each_time(digits: ImageData) -> None:
    assert (digits.channels, digits.image_size, digits.classes) == (1, (32, 32), tuple("0123456789"))
    assert digits.train.images.shape == (1437, 1, 32, 32)
    assert len(digits.test) == 360
    shares = digits.test.labels.bincount() / (digits.test.labels.bincount() + digits.train.labels.bincount())
    assert ((shares - 0.2).abs() < 0.01).all()
    assert torch.equal(load_digits().test.images, digits.test.images)
    assert digits.train.images.max() == 255
    assert digits.train.images.min() == 0


def test_digits_at_their_own_size_are_the_originals() -> None:
    data = load_data("digits", image_size=8)
    assert data.train.images.shape[2:] == (8, 8)
    assert len(data.train.images.unique()) == 17


def test_statistics_are_those_of_the_training_pixels(digits: ImageData) -> None:
    pixels = digits.train.images.double() / 255
    assert digits.mean[0] == pytest.approx(pixels.mean().item(), rel=1e-9)
    assert digits.std[0] == pytest.approx(pixels.std(correction=0).item(), rel=1e-9)


@pytest.mark.parametrize("size", [0, -1, True, "32", (32,), (32, 0), (1, 2, 3), 3.5])
def test_bad_image_size(size: object) -> None:
    with pytest.raises(ArgumentError, match=r"image_size=.*: expected an integer >= 1, or two of them"):
        load_data("digits", image_size=size)


def test_loader_gets_batches(digits: ImageData) -> None:
    images, labels = next(iter(DataLoader(digits.train, batch_size=5)))
    assert torch.equal(images, digits.train.images[:5])
    assert torch.equal(labels, digits.train.labels[:5])
    single, label = digits.train[3]
    assert torch.equal(single, images[3])
    assert label == labels[3]
    assert isinstance(label, int)


def test_tensor_images_check_what_they_get() -> None:
    images, labels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ArgumentError, match=r"images=torch\.float32: expected a torch\.uint8 tensor"):
        TensorImages(images.float(), labels)
    with pytest.raises(ArgumentError, match=r"labels=torch\.int32: expected a torch\.int64 tensor"):
        TensorImages(images, labels.int())
    with pytest.raises(ShapeError, match=r"images=\(2, 4, 4\): expected \(N, C, H, W\)"):
        TensorImages(images[:, 0], labels)
    with pytest.raises(ShapeError, match=r"labels=\(1,\): expected \(2,\), one label per image"):
        TensorImages(images, labels[:1])


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("cifar10", ["cifar-10-python.tar.gz"]),
        ("cifar100", ["cifar-100-python.tar.gz"]),
        ("svhn", ["train_32x32.mat", "test_32x32.mat"]),
        ("fashion-mnist", [f"{p}-ubyte.gz" for p in ("train-images-idx3", "train-labels-idx1")]),
    ],
)
def test_download_asks_for_the_published_files(name: str, files: list[str], tmp_path: Path, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("torchvision.datasets.utils.download_url", lambda *args: asked.append(args))
    with pytest.raises(DataError):  # nothing came
        load_data(name, root=tmp_path, download=True)
    assert [args[2] for args in asked][: len(files)] == files
    assert all(url.startswith("http") and root == str(tmp_path) and len(md5) == 32 for url, root, _, md5 in asked)


def test_failed_download_is_one_error(tmp_path: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fail)
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz: cannot be fetched from http.*no route"):
        load_data("cifar10", root=tmp_path, download=True)


def test_what_cannot_be_downloaded_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="download=True: expected False for imagefolder; these can be fetched"):
        load_data("imagefolder", root=tmp_path, download=True)
    with pytest.raises(ArgumentError, match="root=None: expected the folder that holds the files of fashion-mnist"):
        load_data("fashion-mnist", download=True)


@pytest.mark.parametrize(
    ("module", "name", "package"),
    [("sklearn", "digits", "scikit-learn"), ("torchvision", "imagefolder", "torchvision"), ("scipy", "svhn", "scipy")],
)
def test_missing_package_names_the_extra(module: str, name: str, package: str, tmp_path: Path, monkeypatch) -> None:
    for loaded in [key for key in sys.modules if key.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    for part in ("train", "val"):
        (tmp_path / part).mkdir()
    (tmp_path / "train_32x32.mat").touch()
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed; .*'dynaconv\[train\]'"):
        load_data(name, root=tmp_path)
