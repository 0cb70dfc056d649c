"""SVHN's MATLAB files load; broken ones end in one error that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch

from dynaconv.data import load_data
from dynaconv.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
NUMBERS = np.array([[10], [1], [9], [10]], dtype=np.uint8)


def write(root: Path, **train: Any) -> Path:
    scipy.io.savemat(root / "test_32x32.mat", {"X": PIXELS, "y": NUMBERS}, do_compression=True)
    path = root / "train_32x32.mat"
    scipy.io.savemat(path, {"X": PIXELS, "y": NUMBERS, **train}, do_compression=True)
    return path


def test_files_load_and_ten_is_zero(tmp_path: Path) -> None:
    write(tmp_path)
    data = load_data("svhn", root=tmp_path)
    assert (data.channels, data.image_size, len(data.classes)) == (3, (32, 32), 10)
    assert data.train.labels.tolist() == [0, 1, 9, 0]
    assert torch.equal(data.test.images[2], torch.from_numpy(PIXELS[..., 2].transpose(2, 0, 1).copy()))


@pytest.mark.parametrize(
    ("train", "problem"),
    [
        ({"X": PIXELS[..., :3]}, r"X is uint8 \(32, 32, 3, 3\) for 4 labels, expected uint8 \(32, 32, 3, N\)"),
        ({"X": PIXELS.astype(float)}, r"X is float64"),
        ({"y": NUMBERS + 1}, "labels from 2 to 11, expected integers from 1 to 10"),
        ({"y": NUMBERS * 0.5}, "labels from 0.5 to 5.0, expected integers"),
    ],
)
def test_wrong_content(train: dict, problem: str, tmp_path: Path) -> None:
    write(tmp_path, **train)
    with pytest.raises(DataError, match=rf"train_32x32\.mat: .*{problem}"):
        load_data("svhn", root=tmp_path)


@pytest.mark.parametrize("content", [b"", b"junk" * 100, None])
def test_broken_file(content: bytes | None, tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000] if content is None else content)
    with pytest.raises(DataError, match=r"train_32x32\.mat: not a readable MATLAB file"):
        load_data("svhn", root=tmp_path)


def test_missing_variables_and_files(tmp_path: Path) -> None:
    path = tmp_path / "train_32x32.mat"
    with pytest.raises(DataError, match=r"train_32x32\.mat: no such file; download=True"):
        load_data("svhn", root=tmp_path)
    scipy.io.savemat(path, {"z": NUMBERS})
    with pytest.raises(DataError, match=r"lacks the variables X \(images\) and y \(labels\)"):
        load_data("svhn", root=tmp_path)
