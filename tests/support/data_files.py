"""Small data sets of random pixels in the formats that the real ones are published in."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

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


def idx(array: np.ndarray) -> bytes:
    """`array` (uint8) as an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_fashion_mnist(root: Path, compress: bool = True, **changed: bytes) -> Path:
    """Fashion-MNIST's four files, 5 training and 3 test images, with files replaced by name."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 5), ("t10k", 3)):
        arrays = {
            f"{part}-images-idx3-ubyte": rng.integers(0, 256, (count, 28, 28), dtype=np.uint8),
            f"{part}-labels-idx1-ubyte": rng.integers(0, 10, count, dtype=np.uint8),
        }
        for name, array in arrays.items():
            data = changed.get(name.replace("-", "_"), idx(array))
            path = root / (f"{name}.gz" if compress else name)
            path.write_bytes(gzip.compress(data) if compress else data)
    return root


def write_pictures(
    root: Path, *, parts: tuple[str, ...] = ("train", "val"), size: tuple[int, int] = (40, 30), each: int = 2
) -> Path:
    """A folder of pictures for each part and each of two classes."""
    rng = np.random.default_rng(0)
    for part in parts:
        for label in ("cat", "dog"):
            folder = root / part / label
            folder.mkdir(parents=True)
            for number in range(each):
                pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return root
