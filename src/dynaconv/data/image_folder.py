"""`imagefolder`: a folder of pictures per class, as ImageNet is laid out, decoded when asked for."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from dynaconv.data.extras import torchvision_datasets, torchvision_functional
from dynaconv.data.images import ImageData
from dynaconv.data.resize import ImageSize, parse_size
from dynaconv.errors import DataError

__all__ = ["FolderImages", "load_image_folder"]

_SIDE = 224
# Those of ImageNet, which folders of photographs are customarily normalised with.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class FolderImages(Dataset[tuple[Tensor, int]]):
    """The pictures in one folder per class; items are `(uint8 tensor (3, H, W), int label)`.

    A picture is resized so that its centre, cut out, is (H, W).

    Args:
        folder: holds one folder per class.
        size: (H, W).
        crop: side of the centre, as a share of the part of the picture that has its shape; 1 cuts off no more than
            must be.

    Raises:
        DataError: there is no such folder, it has no class folders, or one of them has no picture.
        MissingExtraError: torchvision is not installed.
    """

    def __init__(self, folder: Path, size: tuple[int, int], crop: float = 1.0) -> None:
        try:
            index = torchvision_datasets().ImageFolder(str(folder))
        except OSError as error:
            raise DataError(folder, f"not a folder with one folder of pictures per class ({error})") from error
        self.size, self.crop = size, crop
        self.classes: tuple[str, ...] = tuple(index.classes)
        self.samples: list[tuple[str, int]] = index.samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture, label = self.picture(index)
        return _centre(picture, self.size, self.crop), label

    def picture(self, index: int) -> tuple[Tensor, int]:
        """The whole picture as it is in its file, (3, height, width) uint8, and its label."""
        path, label = self.samples[index]
        return _decode(path), label


def load_image_folder(root: Path, image_size: ImageSize = None, eval_crop: float = 1.0) -> ImageData:
    """Pictures from `root/train/CLASS/*` and `root/val/CLASS/*` (or `root/test/CLASS/*`), 3 channels, default 224.

    Of the test pictures a central part is taken, `eval_crop` of what it could be.

    Raises:
        ArgumentError: `image_size` is not allowed.
        DataError: a folder is missing or empty, or the two parts have different classes.
        MissingExtraError: torchvision is not installed.
    """
    size = parse_size(image_size, _SIDE)
    tests = [root / part for part in ("val", "test") if (root / part).is_dir()]
    if not tests or not (root / "train").is_dir():
        raise DataError(root, "expected the folders train and val (or test), each with one folder per class")
    train, test = FolderImages(root / "train", size), FolderImages(tests[0], size, eval_crop)
    if train.classes != test.classes:
        differing = ", ".join(sorted(set(train.classes) ^ set(test.classes)))
        raise DataError(tests[0], f"has other classes than train; in one of them only: {differing}")
    return ImageData("imagefolder", train, test, train.classes, 3, size, _MEAN, _STD)


def _decode(path: str) -> Tensor:
    """The picture in the file `path` as (3, height, width) uint8."""
    try:
        pixels: Tensor = torchvision_functional().pil_to_tensor(torchvision_datasets().folder.default_loader(path))
        return pixels
    except Exception as error:  # decoders raise almost any error on a broken picture
        raise DataError(path, f"not a readable picture ({error})") from error


def _centre(picture: Tensor, size: tuple[int, int], crop: float) -> Tensor:
    """The centre of `picture` (3, height, width), resized so that it just covers `size` divided by `crop`."""
    transforms = torchvision_functional()
    factor = max(wanted / crop / given for wanted, given in zip(size, picture.shape[1:], strict=True))
    # Rounded up less a little, so that a factor's rounding error adds no row.
    covering = [ceil(given * factor - 1e-6) for given in picture.shape[1:]]
    cut: Tensor = transforms.center_crop(transforms.resize(picture, covering, antialias=True), list(size))
    return cut
