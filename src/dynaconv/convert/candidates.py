"""What there is in a model to convert, and what stands against it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import is_parametrized

from dynaconv.convert.residual_blocks import is_attention
from dynaconv.layers import DynamicConv

__all__ = ["Candidate", "candidates", "is_same_padded", "is_shortcut"]

_PLAIN = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
_SHORTCUT = re.compile(r"(^|\.)(downsample|shortcut|skip|proj)(\.|$)")


@dataclass(frozen=True)
class Candidate:
    """A convolution or linear layer.

    Attributes:
        names: all its names in the model; more than one where it is used at several places.
        module: the layer itself.
        inside: the class of the attention block or dynamic layer that it is a part of; empty where of none.
        problem: why no method can replace it; empty where nothing stands against it.
    """

    names: tuple[str, ...]
    module: nn.Module
    inside: str
    problem: str


def candidates(model: nn.Module) -> list[Candidate]:
    """All convolutions and linear layers of a model, each once, in order."""
    names: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, _ConvNd | nn.Linear):
            names.setdefault(module, []).append(name)
    owners: dict[int, nn.Module] = {}
    found = []
    for module, places in names.items():
        inside = next((type(m).__name__ for m in _ancestors(model, places[0]) if _is_whole(m)), "")
        found.append(Candidate(tuple(places), module, inside, _problem(module, owners)))
        owners.update({id(parameter): module for parameter in module.parameters(recurse=False)})
    return found


def is_same_padded(module: nn.Module) -> bool:
    """Whether a layer is timm's convolution that pads by the input's size; timm is not imported for the answer."""
    kind = type(module)
    return kind.__name__ == "Conv2dSame" and kind.__module__.startswith("timm.")


def is_shortcut(name: str) -> bool:
    """Whether a name tells of a projection on a residual block's shortcut."""
    return _SHORTCUT.search(name) is not None


def _ancestors(model: nn.Module, name: str) -> Iterator[nn.Module]:
    """The modules around the one called so, outermost first."""
    module = model
    for part in name.split("."):
        yield module
        module = module.get_submodule(part) if part else module


def _is_whole(module: nn.Module) -> bool:
    """Whether the layers inside a module are its own business: how it attends."""
    return isinstance(module, DynamicConv) or is_attention(module)


def _problem(module: nn.Module, owners: dict[int, nn.Module]) -> str:
    kind = type(module).__name__
    if is_parametrized(module):
        names = ", ".join(module.parametrizations)  # type: ignore[arg-type]  # a module of that name holds them
        return f"{names} under a parametrisation: remove it first (torch.nn.utils.parametrize)"
    if not isinstance(module._parameters.get("weight"), nn.Parameter):
        return "its weight is computed by a hook (weight norm, pruning): remove that first"
    if isinstance(module.weight, UninitializedParameter):
        return "its size is not known before the model has run once"
    if isinstance(module, _ConvTransposeNd):
        return "a transposed convolution"
    if type(module) not in _PLAIN and not is_same_padded(module):
        return f"a {kind} has a forward pass of its own"
    if any(id(parameter) in owners for parameter in module.parameters(recurse=False)):
        return "shares its weight with another layer"
    return ""
