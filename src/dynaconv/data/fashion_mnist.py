"""`fashion-mnist`: 70,000 grey 28×28 pictures of clothes, from IDX files."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as F

from dynaconv.data.idx import read_idx
from dynaconv.data.images import ImageData, TensorImages, in_memory
from dynaconv.data.resize import ImageSize, parse_size, resize_images
from dynaconv.errors import DataError

__all__ = ["load_fashion_mnist"]

# Where Debian's package dataset-fashion-mnist puts the files.
_DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_REMEDY = "install Debian's files (apt install dataset-fashion-mnist) or give root=, the folder that holds the files"
_SIDE = 28
_PADDING = 2
_CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def load_fashion_mnist(root: Path | None, image_size: ImageSize = None) -> ImageData:
    """Fashion-MNIST, 1 channel, from the IDX files (gzipped or plain) in `root`, else from Debian's folder.

    The default size is 32, the 28×28 pixels with a black border of 2; 28 gives the pixels alone; any other size is
    resized from 32.

    Raises:
        ArgumentError: `image_size` is not allowed.
        DataError: a file is missing or not what it should be.
    """
    size = parse_size(image_size, _SIDE + 2 * _PADDING)
    folder = _DEBIAN_FOLDER if root is None else root
    if not folder.is_dir():
        raise DataError(folder, f"no such folder; {_REMEDY}")
    return in_memory("fashion-mnist", _read(folder, "train", size), _read(folder, "t10k", size), _CLASSES)


def _read(folder: Path, part: str, size: tuple[int, int]) -> TensorImages:
    images_path, labels_path = (_find(folder, f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    images, labels = read_idx(images_path, 3)[:, None], read_idx(labels_path, 1)
    if images.shape[2:] != (_SIDE, _SIDE):
        raise DataError(images_path, f"images of {tuple(images.shape[2:])} pixels, expected ({_SIDE}, {_SIDE})")
    if len(images) != len(labels):
        raise DataError(labels_path, f"{len(labels)} labels for the {len(images)} images of {images_path.name}")
    if labels.max() >= len(_CLASSES):
        raise DataError(labels_path, f"label {int(labels.max())}, expected 0 to {len(_CLASSES) - 1}")
    if size != (_SIDE, _SIDE):
        images = resize_images(F.pad(images, (_PADDING,) * 4), size)
    return TensorImages(images, labels.to(torch.int64))


def _find(folder: Path, name: str) -> Path:
    # The gzipped file first: it carries a checksum of its own.
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise DataError(folder / name, f"no such file, nor {name}.gz; {_REMEDY}")
