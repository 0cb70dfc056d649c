"""`cifar10` and `cifar100`: colour 32×32 pictures, from either published format, as an archive or extracted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dynaconv.data.array_pickle import PickledArray, load_dict
from dynaconv.data.cifar_classes import CIFAR10_CLASSES, CIFAR100_CLASSES
from dynaconv.data.images import ImageData, TensorImages, in_memory
from dynaconv.data.members import Member, read_members
from dynaconv.data.resize import ImageSize, parse_size, resize_images
from dynaconv.errors import DataError

__all__ = ["load_cifar"]

_CHANNELS, _SIDE = 3, 32
_PIXELS = _CHANNELS * _SIDE * _SIDE

Parse = Callable[[Member], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _Format:
    """One published form of a data set: its names, and how one of its files is parsed to (pixels, labels)."""

    archive: str
    folder: str
    train: tuple[str, ...]
    test: str
    parse: Parse


def _binary(label_bytes: int) -> Parse:
    """Parser of files of records: `label_bytes` labels, of which the last counts, then the pixels."""
    record = label_bytes + _PIXELS

    def parse(member: Member) -> tuple[Tensor, Tensor]:
        if not member.data or len(member.data) % record:
            raise member.error(f"truncated: {len(member.data)} bytes, expected a multiple of {record}")
        records = torch.frombuffer(bytearray(member.data), dtype=torch.uint8).reshape(-1, record)
        return records[:, label_bytes:], records[:, label_bytes - 1].to(torch.int64)

    return parse


def _pickled(label_key: str) -> Parse:
    """Parser of pickled dictionaries: the pixels under "data", the labels under `label_key`."""

    def parse(member: Member) -> tuple[Tensor, Tensor]:
        content = load_dict(member)
        try:
            data, labels = content["data"], content[label_key]
            if not isinstance(data, PickledArray):
                raise TypeError(f"'data' is a {type(data).__name__}, expected an array")
            found = labels.tensor() if isinstance(labels, PickledArray) else torch.tensor(labels)
            return data.tensor(), found.to(torch.int64)
        except KeyError as error:
            raise member.error(f"lacks the key {error}") from error
        except (TypeError, ValueError, RuntimeError) as error:
            raise member.error(f"not a batch of images ({error})") from error

    return parse


_TEN_BATCHES = tuple(f"data_batch_{n}" for n in range(1, 6))
_TEN = (
    _Format(
        "cifar-10-binary.tar.gz",
        "cifar-10-batches-bin",
        tuple(f"{name}.bin" for name in _TEN_BATCHES),
        "test_batch.bin",
        _binary(label_bytes=1),
    ),
    _Format("cifar-10-python.tar.gz", "cifar-10-batches-py", _TEN_BATCHES, "test_batch", _pickled("labels")),
)
_HUNDRED = (
    # The records' first label is the coarse one of 20, the second the fine one of 100.
    _Format("cifar-100-binary.tar.gz", "cifar-100-binary", ("train.bin",), "test.bin", _binary(label_bytes=2)),
    _Format("cifar-100-python.tar.gz", "cifar-100-python", ("train",), "test", _pickled("fine_labels")),
)
_SETS = {"cifar10": (_TEN, CIFAR10_CLASSES), "cifar100": (_HUNDRED, CIFAR100_CLASSES)}


def load_cifar(name: str, root: Path, image_size: ImageSize = None) -> ImageData:
    """CIFAR-10 or CIFAR-100, 3 channels, default size 32; no code in a pickle is executed.

    Args:
        name: `"cifar10"` or `"cifar100"`.
        root: the archive, a folder that holds the archive or what was extracted from it, or the latter itself.
        image_size: an integer or (height, width); the images are resized to it.

    Raises:
        ArgumentError: `image_size` is not allowed.
        DataError: a file is missing, broken, or not what it should be.
    """
    formats, classes = _SETS[name]
    size = parse_size(image_size, _SIDE)
    source, form = _locate(name, formats, root)
    members = read_members(source, (*form.train, form.test))
    # Popped, so that a file's bytes are freed when its images are read.
    train = [_batch(form, members.pop(file), len(classes)) for file in form.train]
    test = _batch(form, members.pop(form.test), len(classes))
    return in_memory(name, _collect(train, size), _collect([test], size), classes)


def _locate(name: str, formats: Sequence[_Format], root: Path) -> tuple[Path, _Format]:
    """The archive or folder to read, and its format; archives first, since they carry checksums."""
    candidates = [
        *((root if root.name == form.archive else root / form.archive, form) for form in formats),
        *((root / form.folder, form) for form in formats),
        *((root, form) for form in formats if (root / form.test).is_file()),
    ]
    for source, form in candidates:
        if source.exists():
            return source, form
    names = ", ".join(f"{form.archive} (or its folder {form.folder})" for form in formats)
    raise DataError(root, f"holds no {name}: expected one of {names}; download=True fetches it into root")


def _batch(form: _Format, member: Member, classes: int) -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) uint8 and labels (N,) of one file, checked."""
    pixels, labels = form.parse(member)
    if pixels.dtype != torch.uint8 or pixels.shape[1:] != (_PIXELS,) or not len(pixels):
        raise member.error(f"images are {pixels.dtype} {tuple(pixels.shape)}, expected uint8 (N, {_PIXELS})")
    if labels.shape != pixels.shape[:1]:
        raise member.error(f"labels of shape {tuple(labels.shape)} for {len(pixels)} images")
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= classes:
        raise member.error(f"labels from {least} to {most}, expected 0 to {classes - 1}")
    return pixels.reshape(-1, _CHANNELS, _SIDE, _SIDE), labels


def _collect(batches: Sequence[tuple[Tensor, Tensor]], size: tuple[int, int]) -> TensorImages:
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return TensorImages(resize_images(images, size), labels)
