"""Freezing: dynamic convolutions become ordinary ones, their coefficients averaged over images."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.convert.frozen_layers import frozen, has_bias, observed
from dynaconv.convert.frozen_outline import Freezing, put_static
from dynaconv.convert.outputs import Difference, difference, output_tensors
from dynaconv.errors import ArgumentError, ConversionError
from dynaconv.layers import DynamicConv
from dynaconv.layers.block_router import remove_routers
from dynaconv.layers.evaluating import evaluating

__all__ = ["FreezeReport", "freeze"]


@dataclass(frozen=True)
class FreezeReport:
    """What was frozen, and what that changed; `str()` says it in a few lines.

    Attributes:
        layers: names of the layers that are static now; an empty one is the model itself.
        images: so many samples the coefficients were averaged over.
        difference: how far the outputs on these samples moved.
        agreement: the share of samples whose largest score stayed the largest, for models that give `(B, classes)`.
    """

    layers: tuple[str, ...]
    images: int
    difference: Difference
    agreement: float | None

    def __str__(self) -> str:
        """The numbers, then the layers."""
        same = "" if self.agreement is None else f"; same class for {self.agreement:.1%}"
        head = f"{len(self.layers)} layers frozen on {self.images} images; output moved by {self.difference}{same}"
        return "\n".join([head, *(f"  {name}" for name in self.layers)])


def freeze(model: nn.Module, images: Any) -> nn.Module:
    """A static copy of a model: every dynamic convolution an `nn.Conv1d`, `nn.Conv2d` or `nn.Conv3d`.

    A layer's coefficients are averaged over the images, and over positions where each has its own; the kernel that they
    stand for becomes the weight. Where the kernel does not depend on the input, the outputs stay the same. The frozen
    model carries a `freeze_report`, a `FreezeReport`, with the difference on the images.

    A receptive-field attention is frozen into two convolutions with its normalisation between; FDConv's bands, which no
    small kernel can weigh apart, into the one factor per channel that is nearest to them (least squares).

    Args:
        model: is left as it is.
        images: what the model takes: a tensor `(B, C, *S)`, or an iterable of such batches; of a batch that is a tuple
            or list, as data loaders have them, the first part.

    Raises:
        ArgumentError: there are no images.
        ConversionError: a layer does not run on them.

    Example:
        >>> from dynaconv import create_conv
        >>> layer = create_conv("odconv", 4, 8, 3).eval()
        >>> freeze(layer, torch.randn(2, 4, 9, 9))
        Conv2d(4, 8, kernel_size=(3, 3), stride=(1, 1))
    """
    batches = _batches(images)
    # Held by another, so that the model itself can be a layer.
    holder = nn.Sequential(copy.deepcopy(model))
    modes = {module: module.training for module in holder.modules()}
    with torch.no_grad(), evaluating(holder):
        means, before, count = _observe(holder, batches)
        names = tuple(_own_name(n) for n, module in holder.named_modules(remove_duplicate=False) if module in means)
        made: dict[nn.Module, nn.Module] = {layer: frozen(layer, found) for layer, found in means.items()}
        biased = tuple(n for n in names if has_bias(made[holder.get_submodule(_held_name(n))]))
        made = put_static(holder, made)
        after = [[*output_tensors(holder(batch))] for batch in _inputs(batches)]
    static: nn.Module = remove_routers(holder[0])
    for layer, conv in made.items():
        conv.train(modes[layer])
    report = FreezeReport(names, count, _largest(after, before), _agreement(after, before))
    done = (*getattr(model, "conversions", ()), Freezing(names, biased))
    static.conversions = done  # type: ignore[assignment]  # a module's attributes are typed as tensors and modules
    static.freeze_report = report  # type: ignore[assignment]  # the same
    return static


def _batches(images: Any) -> Iterable[Any]:
    """The images as something that can be gone through twice."""
    if isinstance(images, Tensor):
        return [images]
    if not isinstance(images, Iterable):
        raise ArgumentError("images", type(images).__name__, "a tensor or an iterable of batches")
    return list(images) if iter(images) is images else images


def _inputs(batches: Iterable[Any]) -> Iterator[Tensor]:
    for batch in batches:
        yield batch[0] if isinstance(batch, tuple | list) else batch


def _observe(
    holder: nn.Module, batches: Iterable[Any]
) -> tuple[dict[DynamicConv, dict[str, Tensor]], list[list[Tensor]], int]:
    """Every layer's mean coefficients, the model's outputs, and the number of samples."""
    sums: dict[DynamicConv, dict[str, Tensor]] = {}
    counts: dict[DynamicConv, int] = {}

    def watch(layer: DynamicConv, inputs: tuple[Tensor, ...]) -> None:
        found = {name: value.double().sum(0, keepdim=True) for name, value in observed(layer, inputs[0]).items()}
        earlier = sums.get(layer, {})
        sums[layer] = {name: value + earlier.get(name, 0) for name, value in found.items()}
        counts[layer] = counts.get(layer, 0) + len(inputs[0])

    layers = [module for module in holder.modules() if isinstance(module, DynamicConv)]
    handles = [layer.register_forward_pre_hook(watch) for layer in layers]
    outputs, samples = [], 0
    try:
        for batch in _inputs(batches):
            outputs.append([*output_tensors(holder(batch))])
            samples += len(batch)
    finally:
        for handle in handles:
            handle.remove()
    if not samples:
        raise ArgumentError("images", samples, "at least one image")
    unused = [name for name, module in holder.named_modules() if module in layers and module not in counts]
    if unused:
        raise ConversionError(_own_name(unused[0]), "does not run on the images, so nothing can be averaged")
    return {k: {name: v / counts[k] for name, v in found.items()} for k, found in sums.items()}, outputs, samples


def _own_name(name: str) -> str:
    """A name in the holder as it is in the model."""
    return name.partition(".")[2]


def _held_name(name: str) -> str:
    """A name in the model as it is in the holder."""
    return f"0.{name}" if name else "0"


def _largest(after: list[list[Tensor]], before: list[list[Tensor]]) -> Difference:
    flat = [[tensor for batch in outputs for tensor in batch] for outputs in (after, before)]
    return difference(*flat)


def _agreement(after: list[list[Tensor]], before: list[list[Tensor]]) -> float | None:
    """How often the largest score is the same."""
    pairs = [(a[0], b[0]) for a, b in zip(after, before, strict=True) if len(a) == 1 and a[0].dim() == 2]
    if len(pairs) < len(after):
        return None
    same = torch.cat([a.argmax(1) == b.argmax(1) for a, b in pairs])
    return float(same.double().mean())
