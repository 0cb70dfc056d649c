"""`svhn`: street view house numbers, cropped digits, from the published MATLAB files."""

from __future__ import annotations

from pathlib import Path

import torch

from dynaconv.data.checksums import verify_checksum
from dynaconv.data.extras import scipy_io
from dynaconv.data.images import ImageData, TensorImages, in_memory
from dynaconv.data.resize import ImageSize, parse_size, resize_images
from dynaconv.errors import DataError

__all__ = ["load_svhn"]

_SIDE = 32


def load_svhn(root: Path, image_size: ImageSize = None) -> ImageData:
    """SVHN, 3 channels, from `train_32x32.mat` and `test_32x32.mat` in `root`; the files' label 10 is the digit 0.

    Raises:
        ArgumentError: `image_size` is not allowed.
        DataError: a file is missing or not what it should be.
        MissingExtraError: SciPy is not installed.
    """
    size = parse_size(image_size, _SIDE)
    classes = tuple(str(digit) for digit in range(10))
    train, test = (_read(root / f"{part}_32x32.mat", size) for part in ("train", "test"))
    return in_memory("svhn", train, test, classes)


def _read(path: Path, size: tuple[int, int]) -> TensorImages:
    if not path.is_file():
        raise DataError(path, "no such file; download=True fetches it into root")
    verify_checksum(path)
    reader = scipy_io()
    try:
        content = reader.loadmat(path, variable_names=("X", "y"))
    except Exception as error:  # the reader raises almost any error on a broken file
        raise DataError(path, f"not a readable MATLAB file ({error}); fetch it again") from error
    if not {"X", "y"} <= content.keys():
        raise DataError(path, "lacks the variables X (images) and y (labels)")
    pixels, numbers = content["X"], content["y"]
    count = numbers.size
    if pixels.dtype != "uint8" or pixels.shape != (_SIDE, _SIDE, 3, count) or not count:
        found = f"{pixels.dtype} {pixels.shape} for {count} labels"
        raise DataError(path, f"X is {found}, expected uint8 (32, 32, 3, N) for N labels")
    if numbers.dtype.kind not in "iu" or numbers.min() < 1 or numbers.max() > 10:
        raise DataError(path, f"labels from {numbers.min()} to {numbers.max()}, expected integers from 1 to 10")
    images = torch.from_numpy(pixels).permute(3, 2, 0, 1).contiguous()
    labels = torch.as_tensor(numbers.reshape(-1).astype("int64")) % 10
    return TensorImages(resize_images(images, size), labels)
