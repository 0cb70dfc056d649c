"""Fetches published data files, from where torchvision knows them to be."""

from __future__ import annotations

from pathlib import Path

from dynaconv.data.extras import torchvision_datasets
from dynaconv.errors import ArgumentError, DataError

__all__ = ["download_files"]

_DOWNLOADABLE = ("fashion-mnist", "cifar10", "cifar100", "svhn")


def download_files(name: str, root: Path) -> None:
    """Fetches the files of the data set `name` into `root`; files there with the right checksum are kept.

    Raises:
        ArgumentError: the data set is not published for download.
        DataError: a file cannot be fetched, or what came has a wrong checksum.
        MissingExtraError: torchvision is not installed.
    """
    if name not in _DOWNLOADABLE:
        raise ArgumentError("download", True, f"False for {name}; these can be fetched: {', '.join(_DOWNLOADABLE)}")
    fetch = torchvision_datasets().utils.download_url
    for url, file_name, md5 in _published(name):
        try:
            fetch(url, str(root), file_name, md5)
        except (OSError, RuntimeError) as error:
            raise DataError(root / file_name, f"cannot be fetched from {url} ({error})") from error


def _published(name: str) -> list[tuple[str, str, str]]:
    """(address, file name, MD5) of each file of the data set."""
    datasets = torchvision_datasets()
    if name == "fashion-mnist":
        source = datasets.FashionMNIST
        return [(source.mirrors[0] + file_name, file_name, md5) for file_name, md5 in source.resources]
    if name == "svhn":
        return [tuple(datasets.SVHN.split_list[part]) for part in ("train", "test")]
    source = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100
    return [(source.url, source.filename, source.tgz_md5)]
