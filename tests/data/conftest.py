"""Small CIFAR archives in both published formats, made of random pixels."""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Files = dict[str, bytes]


def write_tar(path: Path, folder: str, files: Mapping[str, bytes]) -> Path:
    """A .tar.gz with `files` in `folder`."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


class CifarMaker:
    """Both published formats of the same random images."""

    def __init__(self, classes: int) -> None:
        self.ten = classes == 10
        rng = np.random.default_rng(classes)
        names = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"] if self.ten else ["train", "test"]
        self.pixels = {name: rng.integers(0, 256, (6, 3072), dtype=np.uint8) for name in names}
        self.labels = {name: rng.integers(0, classes, 6).tolist() for name in names}

    @property
    def stem(self) -> str:
        return "cifar-10" if self.ten else "cifar-100"

    def binary(self) -> tuple[str, Files]:
        files = {}
        for name, pixels in self.pixels.items():
            labels = np.array(self.labels[name], dtype=np.uint8)[:, None]
            coarse = labels[:, :0] if self.ten else labels % 20
            files[f"{name}.bin"] = np.concatenate([coarse, labels, pixels], 1).tobytes()
        return ("cifar-10-batches-bin" if self.ten else "cifar-100-binary"), files

    def python(self, protocol: int = 2) -> tuple[str, Files]:
        key = "labels" if self.ten else "fine_labels"
        files = {
            name: pickle.dumps({"data": pixels, key: self.labels[name], "filenames": ["a.png"] * 6}, protocol)
            for name, pixels in self.pixels.items()
        }
        return ("cifar-10-batches-py" if self.ten else "cifar-100-python"), files

    def archive(self, root: Path, form: str, **changed: Any) -> Path:
        """The archive of format `form`, with the files in `changed` replaced (None: left out)."""
        folder, files = getattr(self, form)()
        merged = {name: data for name, data in {**files, **changed}.items() if data is not None}
        return write_tar(root / f"{self.stem}-{form}.tar.gz", folder, merged)


@pytest.fixture
def cifar10() -> CifarMaker:
    return CifarMaker(10)


@pytest.fixture
def cifar100() -> CifarMaker:
    return CifarMaker(100)
