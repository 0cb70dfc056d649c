"""How a network's kernels answer when one image is turned through a full circle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dynaconv.analysis.rotation import rotate
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.layers import DynamicConv
from dynaconv.layers.evaluating import evaluating

__all__ = ["LayerTurn", "Turning", "turn"]

FULL_CIRCLE = tuple(float(angle) for angle in range(0, 361, 10))


@dataclass(frozen=True)
class LayerTurn:
    """What one dynamic layer did at each of A angles.

    Attributes:
        name: the layer's path in the model.
        coefficients: each named coefficient tensor of the layer, flattened per angle: `(A, D)`.
        kernel_change: `(A,)`, distance of the angle's kernel to the upright image's, relative to the latter's norm.
    """

    name: str
    coefficients: dict[str, Tensor]
    kernel_change: Tensor


@dataclass(frozen=True)
class Turning:
    """One image turned through A angles, and every dynamic layer's answer.

    Attributes:
        angles: degrees, counter-clockwise.
        images: the turned images, `(A, C, H, W)` in [0, 1].
        predictions: class that the model names at each angle, `(A,)`.
        layers: in the order in which the model runs them.
    """

    angles: tuple[float, ...]
    images: Tensor
    predictions: Tensor
    layers: tuple[LayerTurn, ...]


@torch.no_grad()
def turn(
    model: nn.Module,
    image: Tensor,
    angles: Sequence[float] = FULL_CIRCLE,
    *,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
) -> Turning:
    """Turn `image` and record every dynamic layer's coefficients and kernels.

    The model runs in eval mode and is left in the mode it was in.

    Args:
        model: classifier with at least one `dynaconv.layers.DynamicConv`, on any device.
        image: `(C, H, W)`, pixels in [0, 1].
        angles: degrees, counter-clockwise; corners that come into view are black.
        mean: per channel (or one for all), subtracted before the image enters the model.
        std: per channel (or one for all), divides after that.

    Raises:
        ShapeError: if `image` is not one image.
        ArgumentError: if `angles` is empty or not finite, or the model has no dynamic convolution.
    """
    if image.dim() != 3:
        raise ShapeError("image", image.shape, "one image, (C, H, W)")
    degrees = torch.tensor(list(angles), dtype=torch.float64)
    if not len(degrees) or not bool(degrees.isfinite().all()):
        raise ArgumentError("angles", tuple(angles), "at least one finite number of degrees")
    layers = {name: module for name, module in model.named_modules() if isinstance(module, DynamicConv)}
    if not layers:
        raise ArgumentError("model", type(model).__name__, "a model with at least one dynamic convolution")
    weight = next(model.parameters())
    upright = image[None].to(weight)
    images = rotate(upright.expand(len(degrees), -1, -1, -1), degrees)
    batch = torch.cat([upright, images])
    batch = (batch - batch.new_tensor(mean).view(-1, 1, 1)) / batch.new_tensor(std).view(-1, 1, 1)
    with evaluating(model):
        outputs, inputs = _run(model, batch, layers)
        turns = tuple(_layer_turn(name, layers[name], x) for name, x in inputs.items())
    return Turning(tuple(degrees.tolist()), images.cpu(), outputs[1:].argmax(1).cpu(), turns)


def _run(model: nn.Module, batch: Tensor, layers: dict[str, DynamicConv]) -> tuple[Tensor, dict[str, Tensor]]:
    """The model's output for `batch`, and what each of `layers` was given on the way, in that order."""
    inputs: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> None:
            inputs[name] = args[0]

        return hook

    handles = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    try:
        return model(batch), inputs
    finally:
        for handle in handles:
            handle.remove()


def _layer_turn(name: str, layer: DynamicConv, x: Tensor) -> LayerTurn:
    """One layer's answer to its inputs `x`, whose first sample belongs to the upright image."""
    found = layer.coefficients(x)
    kernels = layer.assemble(found).dense().flatten(1)
    change = (kernels[1:] - kernels[0]).norm(dim=1) / kernels[0].norm()
    coefficients = {key: value[1:].flatten(1).float().cpu() for key, value in found.items()}
    return LayerTurn(name, coefficients, change.float().cpu())
