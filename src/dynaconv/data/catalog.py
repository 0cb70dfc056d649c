"""`load_data`: data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from dynaconv.data.cifar import load_cifar
from dynaconv.data.digits import load_digits
from dynaconv.data.download import download_files
from dynaconv.data.fashion_mnist import load_fashion_mnist
from dynaconv.data.image_folder import load_image_folder
from dynaconv.data.images import ImageData
from dynaconv.data.resize import ImageSize
from dynaconv.data.svhn import load_svhn
from dynaconv.errors import ArgumentError, DataError

__all__ = ["list_data", "load_data"]

_Loader = Callable[[Path, ImageSize], ImageData]

_FROM_ROOT: dict[str, _Loader] = {
    "cifar10": partial(load_cifar, "cifar10"),
    "cifar100": partial(load_cifar, "cifar100"),
    "svhn": load_svhn,
}
_NAMES = ("digits", "fashion-mnist", *_FROM_ROOT, "imagefolder")


def list_data() -> list[str]:
    """Names that `load_data` takes."""
    return list(_NAMES)


def load_data(
    name: str,
    *,
    root: str | Path | None = None,
    image_size: ImageSize = None,
    download: bool = False,
    eval_crop: float = 1.0,
) -> ImageData:
    """A data set by name, with training and test images.

    Args:
        name: one of `list_data()`.
        root: the folder that holds the files (default: none); `digits` needs none and ignores it, `fashion-mnist`
            without it takes Debian's.
        image_size: size of the images, an integer or (height, width); default 32, and 224 for `imagefolder`.
        download: fetch missing files into `root` first, where the set is published for download (default: False).
        eval_crop: `imagefolder` tests the central part of a picture, so much of its side; 0.875 is the usual 224 of 256
            pixels. Other sets ignore it: their images are tested whole.

    Raises:
        ArgumentError: an argument's value is not allowed.
        DataError: a file is missing, broken, or not what it should be; names the file.
        MissingExtraError: a package that reads the set is not installed.
    """
    if name not in _NAMES:
        raise ArgumentError("name", name, f"one of {', '.join(_NAMES)}")
    if name == "digits":
        return load_digits(image_size)
    if not 0 < eval_crop <= 1:
        raise ArgumentError("eval_crop", eval_crop, "a number > 0 and <= 1")
    folder = None if root is None else Path(root).expanduser()
    if folder is None and (download or name in (*_FROM_ROOT, "imagefolder")):
        raise ArgumentError("root", root, f"the folder that holds the files of {name}")
    try:
        return _load(name, folder, image_size, download, eval_crop)
    except OSError as error:
        raise DataError(error.filename or folder or name, f"cannot be read ({error.strerror})") from error


def _load(name: str, folder: Path | None, image_size: ImageSize, download: bool, eval_crop: float) -> ImageData:
    if folder is not None:
        if download:
            download_files(name, folder)
        if not folder.exists():
            raise DataError(folder, "no such file or folder")
        if name == "imagefolder":
            return load_image_folder(folder, image_size, eval_crop)
        if name in _FROM_ROOT:
            return _FROM_ROOT[name](folder, image_size)
    return load_fashion_mnist(folder, image_size)
