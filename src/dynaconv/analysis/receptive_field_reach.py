"""Reach: which part of the image every element of a tensor depends on, as a box of image coordinates.

A reach is one tensor `(2A, *shape)` for a tensor of `shape` and an image of A axes: for every element first the A
lowest coordinates, negated, then the A highest ones. So what depends on two things reaches the maximum of their
reaches, and all rules are maxima. Coordinates run on beyond the image's border, as if padding were more image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Reach", "pixels", "resampled", "windows"]

_MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


@dataclass(frozen=True)
class Reach:
    """What the elements of one tensor depend on.

    Attributes:
        bounds: `(2A, *shape)`; minus infinity where an element depends on nothing in the image.
        step: image pixels from one unit of the map to the next, per image axis.
    """

    bounds: Tensor
    step: tuple[float, ...]

    @property
    def axes(self) -> int:
        """A, the image's axes."""
        return len(self.step)

    def with_bounds(self, bounds: Tensor) -> Reach:
        """The same steps with other bounds."""
        return Reach(bounds, self.step)

    def profile(self, axis: int) -> Tensor:
        """Highest coordinate of an image axis along the dimension that it has in a map `(B, C, *S)`: `(S_axis,)`."""
        highest = self.bounds[self.axes + axis]
        other = [d for d in range(highest.dim()) if d != 2 + axis]
        return highest.amax(other)

    def moving(self, axis: int) -> list[int]:
        """Dimensions of the tensor along which the places looked at move on an image axis."""
        middle = (self.bounds[self.axes + axis] - self.bounds[axis]).nan_to_num(nan=0.0)
        return [d for d in range(middle.dim()) if bool((middle != middle.narrow(d, 0, 1)).any())]

    def is_map(self) -> bool:
        """Whether the tensor is `(B, C, *S)` with the image's axes where a convolution expects them."""
        if self.bounds.dim() != self.axes + 3:
            return False
        for axis in range(self.axes):
            along, own = self.moving(axis), 2 + axis
            misses_its_own = bool(along) and own not in along and self.bounds.shape[1 + own] > 1
            if misses_its_own or any(d >= 2 and d != own for d in along):
                return False
        return True

    def measured(self) -> Reach:
        """With the steps that the map itself shows, where it is larger than one unit and not reached as a whole."""
        if not self.is_map():
            return self
        step = list(self.step)
        for axis in range(self.axes):
            along = self.profile(axis)
            if len(along) > 1 and bool(along.isfinite().all() and along[-1] > along[0]):
                step[axis] = float(along[-1] - along[0]) / (len(along) - 1)
        return Reach(self.bounds, tuple(step))


def pixels(image: Tensor) -> Reach:
    """The image itself, `(B, C, *S)`: every pixel depends on itself."""
    size = image.shape[2:]
    places = [torch.arange(n, dtype=torch.float32, device=image.device) for n in size]
    grid = torch.stack(torch.meshgrid(*places, indexing="ij"))
    bounds = torch.cat([-grid, grid])[:, None, None].expand(-1, *image.shape[:2], *size)
    return Reach(bounds, (1.0,) * len(size))


def windows(
    reach: Reach,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    size: Sequence[int],
) -> Reach:
    """The reach of windows over a map: of a convolution's or a pooling's output `(B, C, *size)`.

    Args:
        reach: of the map `(B, C, *S)`.
        kernel: taps per spatial dimension.
        stride: step per spatial dimension.
        padding: (before, after) per spatial dimension; more is added after where `size` asks for it.
        dilation: distance of taps per spatial dimension.
        size: of the output.
    """
    bounds = reach.bounds
    for s, (before, after) in enumerate(padding):
        length = bounds.shape[3 + s]
        needed = (size[s] - 1) * stride[s] + dilation[s] * (kernel[s] - 1) + 1
        bounds = _extended(reach.with_bounds(bounds), s, before, max(after, needed - before - length))
    flat = _MAX_POOLS[len(kernel)](
        bounds.flatten(0, 1), tuple(kernel), stride=tuple(stride), padding=0, dilation=tuple(dilation)
    )
    for s, n in enumerate(size):
        flat = flat.narrow(2 + s, 0, n)
    step = reach.step
    if len(kernel) == reach.axes:
        step = tuple(a * b for a, b in zip(step, stride, strict=True))
    return Reach(flat.unflatten(0, bounds.shape[:2]), step)


def _extended(reach: Reach, s: int, before: int, after: int) -> Tensor:
    """Bounds of the map with units before and after along spatial dimension s, negative numbers cut off.

    Where the dimension is an image axis, the coordinates run on by its step; else what is added reaches no farther than
    the border.
    """
    bounds, dim, axes = reach.bounds, 3 + s, reach.axes
    delta = bounds.new_zeros(2 * axes)
    if bounds.dim() == axes + 3:
        along = reach.profile(s)
        if len(along) == 1 or bool(along[0] != along[-1]):
            delta[s], delta[axes + s] = -reach.step[s], reach.step[s]
    delta = delta.reshape(-1, *(1,) * (bounds.dim() - 1))
    shape = [1] * bounds.dim()
    shape[dim] = -1
    parts = [bounds.narrow(dim, max(0, -before), bounds.shape[dim] + min(0, before) + min(0, after))]
    if before > 0:
        places = torch.arange(-before, 0, dtype=bounds.dtype, device=bounds.device).reshape(shape)
        parts.insert(0, bounds.narrow(dim, 0, 1) + delta * places)
    if after > 0:
        places = torch.arange(1, after + 1, dtype=bounds.dtype, device=bounds.device).reshape(shape)
        parts.append(bounds.narrow(dim, bounds.shape[dim] - 1, 1) + delta * places)
    return torch.cat(parts, dim) if len(parts) > 1 else parts[0]


def resampled(reach: Reach, sources: Sequence[Sequence[range]]) -> Reach:
    """The reach of a map whose unit j along spatial dimension s depends on the units `sources[s][j]` there."""
    bounds, step = reach.bounds, list(reach.step)
    for s, wanted in enumerate(sources):
        dim = 3 + s
        if len(sources) == reach.axes:
            step[s] *= bounds.shape[dim] / len(wanted)
        bounds = torch.stack([bounds.narrow(dim, r.start, len(r)).amax(dim) for r in wanted], dim)
    return Reach(bounds, tuple(step)).measured()
