"""First-order global context: the average of every channel over the map."""

from __future__ import annotations

from torch import Tensor

from dynaconv.errors import ShapeError

__all__ = ["global_average", "left_window_average"]


def global_average(x: Tensor, channels: int | None = None) -> Tensor:
    """The average over all positions: `(B, C, *S)` → `(B, channels)`.

    Args:
        x: `(B, C, *S)`.
        channels: only the first so many; all by default.
    """
    return x[:, :channels].flatten(2).mean(2)


def left_window_average(x: Tensor, channels: int | None = None) -> Tensor:
    """The average over the left H×H window only: what the seed networks' authors computed on maps wider than high.

    Needed to run their checkpoints on non-square maps; on square maps it is `global_average`.

    Args:
        x: `(B, C, H, W)` with W >= H.
        channels: only the first so many; all by default.

    Raises:
        ShapeError: the map is higher than wide.
    """
    height, width = x.shape[2:]
    if height > width:
        raise ShapeError("x", x.shape, "a map at least as wide as high, with as_published=True")
    return global_average(x[..., :height], channels)
