"""Folders of pictures, decoded when asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.data_files import write_pictures

from dynaconv.data import RandomPictures, load_data
from dynaconv.errors import ArgumentError, DataError


@pytest.mark.parametrize("test", ["val", "test"])
def test_pictures_cover_the_size(test: str, tmp_path: Path) -> None:
    data = load_data("imagefolder", root=write_pictures(tmp_path, parts=("train", test)), image_size=(20, 24))
    assert (data.classes, data.channels, data.image_size) == (("cat", "dog"), 3, (20, 24))
    assert [label for _, label in (data.test[i] for i in range(4))] == [0, 0, 1, 1]
    image, _ = data.train[0]
    assert (image.shape, image.dtype) == ((3, 20, 24), torch.uint8)
    assert len(data.mean) == len(data.std) == 3


def test_picture_of_the_right_size_is_unchanged_and_default_is_224(tmp_path: Path) -> None:
    root = write_pictures(tmp_path, size=(32, 32))
    image, _ = load_data("imagefolder", root=root, image_size=32).train[0]
    pixels = np.asarray(Image.open(root / "train/cat/0.png")).transpose(2, 0, 1)
    assert torch.equal(image, torch.from_numpy(pixels.copy()))
    assert load_data("imagefolder", root=root).test[3][0].shape == (3, 224, 224)


@pytest.mark.parametrize("height", range(17, 60, 7))
@pytest.mark.parametrize("width", range(17, 60, 7))
def test_centre_is_kept_for_every_shape(height: int, width: int, tmp_path: Path) -> None:
    grey = np.full((height, width), 90, np.uint8)
    for part in ("train", "val"):
        (tmp_path / part / "only").mkdir(parents=True)
        Image.fromarray(grey).save(tmp_path / part / "only" / "0.png")
    image, _ = load_data("imagefolder", root=tmp_path, image_size=(24, 32)).train[0]
    assert image.shape == (3, 24, 32)
    # Nothing was padded: every pixel is of the picture.
    assert image.unique().tolist() == [90]


def test_the_tested_part_is_as_large_as_asked_for(tmp_path: Path) -> None:
    root = write_pictures(tmp_path, size=(64, 32))
    data = load_data("imagefolder", root=root, image_size=14, eval_crop=0.875)
    whole = load_data("imagefolder", root=root, image_size=16)
    # The 14 of 16 pixels in the middle: resized to 16, not to 14.
    assert data.test[0][0].equal(whole.test[0][0][:, 1:15, 1:15])
    assert data.train[0][0].equal(load_data("imagefolder", root=root, image_size=14).train[0][0])
    with pytest.raises(ArgumentError, match=r"eval_crop=1\.5: expected a number > 0 and <= 1"):
        load_data("imagefolder", root=root, eval_crop=1.5)


def test_pictures_are_there_whole(tmp_path: Path) -> None:
    data = load_data("imagefolder", root=write_pictures(tmp_path, size=(40, 30)), image_size=8)
    picture, label = data.train.picture(3)
    assert (picture.shape, picture.dtype, label) == ((3, 40, 30), torch.uint8, 1)
    change = RandomPictures((8, 8), rand_augment=9, erasing=0.5)
    assert change(picture, seed=4).shape == (3, 8, 8)
    assert change(picture, seed=4).equal(change(picture, seed=4))
    assert not change(picture, seed=4).equal(change(picture, seed=5))


def test_broken_picture_is_named(tmp_path: Path) -> None:
    path = write_pictures(tmp_path) / "train/cat/0.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"cat.0\.png: not a readable picture"):
        load_data("imagefolder", root=tmp_path).train[0]


def test_wrong_layouts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected the folders train and val \(or test\)"):
        load_data("imagefolder", root=tmp_path)
    write_pictures(tmp_path, parts=("train",))
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError, match="val: not a folder with one folder of pictures per class"):
        load_data("imagefolder", root=tmp_path)
    (tmp_path / "val/cat").mkdir()
    with pytest.raises(DataError, match=r"val: not a folder .*cat"):
        load_data("imagefolder", root=tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "val/cat/0.png")
    with pytest.raises(DataError, match="val: has other classes than train; in one of them only: dog"):
        load_data("imagefolder", root=tmp_path)
