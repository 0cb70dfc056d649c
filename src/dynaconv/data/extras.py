"""The optional packages that data needs: each is imported here only, at first use."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from dynaconv.errors import MissingExtraError

__all__ = [
    "kornia_geometry",
    "scipy_io",
    "sklearn_datasets",
    "sklearn_selection",
    "torchvision_datasets",
    "torchvision_functional",
    "torchvision_transforms",
]

# Where a package is installed under another name than it is imported by.
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def _load(module: str) -> ModuleType:
    """Imports `module`, or says how to install the package that is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        raise MissingExtraError(_DISTRIBUTIONS.get(package, package), "train") from error


def kornia_geometry() -> ModuleType:
    """`kornia.geometry.transform`: matrices of geometric transforms, and warps."""
    return _load("kornia.geometry.transform")


def scipy_io() -> ModuleType:
    """`scipy.io`: reads MATLAB files."""
    return _load("scipy.io")


def sklearn_datasets() -> ModuleType:
    """`sklearn.datasets`: holds the digits."""
    return _load("sklearn.datasets")


def sklearn_selection() -> ModuleType:
    """`sklearn.model_selection`: stratified splits."""
    return _load("sklearn.model_selection")


def torchvision_datasets() -> ModuleType:
    """`torchvision.datasets`: image folders, and where the published archives are."""
    return _load("torchvision.datasets")


def torchvision_functional() -> ModuleType:
    """`torchvision.transforms.functional`: pictures to tensors, resizing, cropping."""
    return _load("torchvision.transforms.functional")


def torchvision_transforms() -> ModuleType:
    """`torchvision.transforms.v2`: random transforms of pictures."""
    return _load("torchvision.transforms.v2")
