"""Data: image sets by name, each read without executing anything it holds, and the viewpoint augmentation."""

from __future__ import annotations

from dynaconv.data.catalog import list_data, load_data
from dynaconv.data.images import ImageData, TensorImages
from dynaconv.data.random_pictures import RandomPictures
from dynaconv.data.shift import shift_and_mirror
from dynaconv.data.viewpoint import ViewpointAugmentation, Viewpoints

__all__ = [
    "ImageData",
    "RandomPictures",
    "TensorImages",
    "ViewpointAugmentation",
    "Viewpoints",
    "list_data",
    "load_data",
    "shift_and_mirror",
]
