"""Batch normalisations folded into the kernels before them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.convert.conv_norm_pairs import conv_norm_pairs, is_norm
from dynaconv.convert.output_affine import take_in, why_not
from dynaconv.errors import ArgumentError
from dynaconv.layers import BatchRenorm2d, DynamicConv

__all__ = ["ChannelShift", "FoldReport", "fold_batchnorm"]


@dataclass(frozen=True)
class FoldReport:
    """What was folded; `str()` lists it.

    Attributes:
        folded: names of the normalisations that are gone, with the layers that they went into.
        kept: names of those that are still there, with the reasons; those inside dynamic layers are not counted.
    """

    folded: dict[str, str]
    kept: dict[str, str]

    def __str__(self) -> str:
        """One normalisation a line."""
        lines = [f"{len(self.folded)} batch normalisations folded, {len(self.kept)} kept"]
        lines += [f"  {norm} into {layer}" for norm, layer in self.folded.items()]
        return "\n".join([*lines, *(f"  {norm} kept: {reason}" for norm, reason in self.kept.items())])


class ChannelShift(nn.Module):
    """`y = x + shift`, what is left of a normalisation where all summands of its layer depend on the input.

    Args:
        shift: `(C,)`.
    """

    shift: Tensor

    def __init__(self, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, *S)` → the same shape."""
        return x + self.shift.reshape(-1, *(1 for _ in x.shape[2:]))


def fold_batchnorm(model: nn.Module) -> nn.Module:
    """A copy of a model without the batch normalisations that follow convolutions: the outputs stay the same.

    Each goes into the weight and bias of the convolution before it: of an ordinary one, or of every expert of a bank,
    so that inference stays dynamic and a pass over every map is saved. Where a layer's outputs share parameters
    (generated kernels, warehouses, involution), or something else reads the convolution too, the normalisation is kept.
    The copy carries a `fold_report`, a `FoldReport`, that says so layer by layer.

    Args:
        model: in evaluation mode: in training a normalisation depends on the batch.

    Raises:
        ArgumentError: a module of it is in training mode.

    Example:
        >>> from dynaconv import create_conv
        >>> model = nn.Sequential(create_conv("odconv", 4, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()
        >>> folded, x = fold_batchnorm(model), torch.randn(2, 4, 9, 9)
        >>> folded[1], torch.allclose(folded(x), model(x), atol=1e-5)
        (Identity(), True)
    """
    if any(module.training for module in model.modules()):
        raise ArgumentError("model", "in training mode", "a model in evaluation mode, after model.eval()")
    model = copy.deepcopy(model)
    pairs = conv_norm_pairs(model)
    folded, kept = {}, {}
    inner = {part for layer in model.modules() if isinstance(layer, DynamicConv) for part in layer.modules()}
    for name, module in [(n, m) for n, m in model.named_modules() if is_norm(m) and m not in inner]:
        layer = model.get_submodule(pairs[name]) if name in pairs else None
        problem = why_not(layer) if layer is not None else "no convolution alone stands before it"
        if layer is None or problem:
            kept[name] = problem or ""
            continue
        with torch.no_grad():
            left = take_in(layer, *_affine(module))
        rest = [] if left is None else [ChannelShift(left)]
        # Some normalisations bring their activation with them.
        rest += [part for part in map(module._modules.get, ("drop", "act")) if part is not None]
        model.set_submodule(name, (rest[0] if len(rest) == 1 else nn.Sequential(*rest)) if rest else nn.Identity())
        folded[name] = pairs[name]
    model.eval()
    report = FoldReport(folded, kept)
    model.fold_report = report  # type: ignore[assignment]  # a module's attributes are typed as tensors and modules
    model.conversions = (*getattr(model, "conversions", ()), report)  # type: ignore[assignment]  # the same
    return model


def _affine(norm: Any) -> tuple[Tensor, Tensor]:
    """What a normalisation does in evaluation: the factor and the summand of every channel."""
    if isinstance(norm, BatchRenorm2d):
        scale = norm.weight / norm.running_std
    else:
        scale = (norm.running_var + norm.eps).rsqrt()
        scale = scale if norm.weight is None else norm.weight * scale
    shift = -norm.running_mean * scale
    return scale.detach(), (shift if norm.bias is None else norm.bias + shift).detach()
