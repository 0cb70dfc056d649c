"""The viewpoint augmentation: flips, crop, rotation, scale and shear of whole batches, each image its own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from dynaconv.data.extras import kornia_geometry
from dynaconv.errors import ArgumentError, ShapeError

__all__ = ["ViewpointAugmentation", "Viewpoints"]


@dataclass(frozen=True, eq=False)
class Viewpoints:
    """How each of N images is seen; `views[a:b]` or `views[indices]` is a part of them.

    Applied in this order: flip, shift, then shear, rotation and scale about the image's centre.

    Attributes:
        flip_x: (N,) bool, left and right are swapped.
        flip_y: (N,) bool, top and bottom are swapped.
        shift: (N, 2) float, pixels to the right and downwards.
        angle: (N,) float, degrees counter-clockwise.
        scale: (N,) float, magnification.
        shear: (N, 2) float, degrees along x and along y.
    """

    flip_x: Tensor
    flip_y: Tensor
    shift: Tensor
    angle: Tensor
    scale: Tensor
    shear: Tensor

    @classmethod
    def identity(cls, count: int) -> Viewpoints:
        """`count` views that leave the image as it is."""
        unflipped, still = torch.zeros(count, dtype=torch.bool), torch.zeros(count, 2)
        return cls(unflipped, unflipped, still, torch.zeros(count), torch.ones(count), still)

    def __len__(self) -> int:
        return len(self.angle)

    def __getitem__(self, chosen: slice | Tensor) -> Viewpoints:
        part = chosen.cpu() if isinstance(chosen, Tensor) else chosen
        return Viewpoints(*(getattr(self, field.name)[part] for field in fields(self)))

    def matrices(self, height: int, width: int) -> Tensor:
        """(N, 3, 3) float32: takes pixel (x, y, 1) of an image of this size to where it is seen.

        Raises:
            MissingExtraError: kornia is not installed.
        """
        last = torch.tensor([width - 1, height - 1], dtype=torch.float32)
        flips = torch.stack([self.flip_x, self.flip_y], 1)
        moved = torch.eye(3).repeat(len(self), 1, 1)
        moved[:, [0, 1], [0, 1]] = torch.where(flips, -1.0, 1.0)
        moved[:, :2, 2] = flips * last + self.shift
        # kornia turns clockwise for positive angles, and wants shear in radians.
        turned: Tensor = kornia_geometry().get_affine_matrix2d(
            torch.zeros(len(self), 2),
            (last / 2).expand(len(self), 2),
            self.scale[:, None].expand(-1, 2),
            -self.angle,
            *self.shear.deg2rad().unbind(1),
        )
        return turned @ moved


@dataclass(frozen=True)
class ViewpointAugmentation:
    """Random views of images, by one warp per batch on the images' device; each image gets its own parameters.

    Compared with a crop followed by an affine transform, one warp keeps what a crop would cut off and a rotation
    would bring back.

    Args:
        degrees: angles are uniform in [-degrees, degrees] (default 180: every direction).
        scale: magnifications are uniform in [scale[0], scale[1]].
        shear: shear angles along x and along y are uniform in [-shear, shear], degrees.
        crop_padding: shifts along x and along y are uniform among the whole pixels from -crop_padding to crop_padding,
            as a crop at a random place of the image padded so far.
        flips: mirror along x and along y, each with probability one half.
        interpolation: `"nearest"`, as in the seed, keeps the images as sharp as they are; `"bilinear"` blurs them a
            little, so that a network trained on the views alone has never seen an image as sharp as a clean one.

    Raises:
        ArgumentError: a value is out of range.
    """

    degrees: float = 180.0
    scale: tuple[float, float] = (0.8, 1.2)
    shear: float = 20.0
    crop_padding: int = 4
    flips: bool = True
    interpolation: Literal["nearest", "bilinear"] = "nearest"

    def __post_init__(self) -> None:
        if self.interpolation not in ("nearest", "bilinear"):
            raise ArgumentError("interpolation", self.interpolation, '"nearest" or "bilinear"')
        if not 0 <= self.degrees <= 180:
            raise ArgumentError("degrees", self.degrees, "a number from 0 to 180")
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1] < float("inf"):
            raise ArgumentError("scale", self.scale, "(least, most) with 0 < least <= most")
        if not 0 <= self.shear <= 80:
            raise ArgumentError("shear", self.shear, "a number from 0 to 80")
        if not isinstance(self.crop_padding, int) or self.crop_padding < 0:
            raise ArgumentError("crop_padding", self.crop_padding, "an integer >= 0")

    def sample(self, count: int, seed: int) -> Viewpoints:
        """`count` random views, a pure function of (`count`, `seed`): drawn on the CPU whatever the device.

        Raises:
            ArgumentError: `count` or `seed` is negative, or `seed` exceeds 64 bits.
        """
        if count < 0:
            raise ArgumentError("count", count, "an integer >= 0")
        if not 0 <= seed < 1 << 64:
            raise ArgumentError("seed", seed, "an integer from 0 to 2**64 - 1")
        generator = torch.Generator().manual_seed(seed)
        uniform = torch.rand(count, 8, generator=generator)
        flips = (uniform[:, :2] < 0.5) & self.flips
        places = 2 * self.crop_padding + 1
        least, most = self.scale
        centred = 2 * uniform[:, 5:] - 1
        return Viewpoints(
            flip_x=flips[:, 0],
            flip_y=flips[:, 1],
            shift=(uniform[:, 2:4] * places).floor() - self.crop_padding,
            angle=centred[:, 0] * self.degrees,
            scale=least + (most - least) * uniform[:, 4],
            shear=centred[:, 1:] * self.shear,
        )

    def apply(self, x: Tensor, views: Viewpoints) -> Tensor:
        """Each image of `x` as seen in `views`; what was outside the image is 0.

        Args:
            x: (B, C, H, W) floating point.
            views: B views.

        Returns:
            (B, C, H, W), of the type and on the device of `x`.

        Raises:
            ShapeError: `x` is not a batch of images.
            ArgumentError: `x` is not floating point, or the number of views is another.
            MissingExtraError: kornia is not installed.
        """
        if x.dim() != 4:
            raise ShapeError("x", x.shape, "(B, C, H, W)")
        if not x.is_floating_point():
            raise ArgumentError("x", x.dtype, "a floating-point tensor")
        if len(views) != len(x):
            raise ArgumentError("views", len(views), f"{len(x)} views, one per image")
        if not len(x):
            return x
        height, width = x.shape[2:]
        exact = torch.promote_types(x.dtype, torch.float32)
        # Autocast would round the matrices, and with them the pixels' places, to half precision.
        with torch.autocast(x.device.type, enabled=False):
            matrices = views.matrices(height, width)[:, :2].to(x.device, exact)
            warped: Tensor = kornia_geometry().warp_affine(
                x.to(exact), matrices, (height, width), mode=self.interpolation
            )
        return warped.to(x.dtype)

    def __call__(self, x: Tensor, *, seed: int) -> Tensor:
        """`x` (B, C, H, W) seen in random views: `sample`, then `apply`."""
        return self.apply(x, self.sample(len(x), seed))
