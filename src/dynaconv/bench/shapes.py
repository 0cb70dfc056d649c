"""The layer shapes of real networks, found by running the networks on tensors without numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from dynaconv.convert import spec_of_conv
from dynaconv.layers import DynamicConv
from dynaconv.models import create_model
from dynaconv.models.backbones import backbone
from dynaconv.models.seeds import SEEDS
from dynaconv.spec import ConvSpec

__all__ = ["BATCHES", "EXPERTS", "SOURCES", "LayerShape", "layer_shapes"]

# Network and image size.
SOURCES = (
    ("resnet18", 128),
    ("resnet18", 224),
    ("resnet50", 128),
    ("resnet50", 224),
    ("mobilenetv2_100", 224),
    ("cifar_resnet18", 32),
    *((name, 32) for name in SEEDS),
)
BATCHES = (1, 8, 32, 128)
EXPERTS = (1, 4, 8, 16)


@dataclass(frozen=True)
class LayerShape:
    """A convolution as a network runs it.

    Attributes:
        spec: the geometry.
        size: spatial size of the input.
        networks: those that have it, with their image size.
        dynamic: whether one of the library's own networks makes this kernel from the input.
    """

    spec: ConvSpec
    size: tuple[int, ...]
    networks: tuple[str, ...]
    dynamic: bool


@lru_cache(maxsize=1)
def layer_shapes() -> tuple[LayerShape, ...]:
    """All distinct shapes of all convolutions of `SOURCES`, in the order of the networks."""
    found: dict[tuple[ConvSpec, tuple[int, ...]], tuple[list[str], bool]] = {}
    for network, size in SOURCES:
        label = f"{network}@{size}"
        for spec, seen, dynamic in _convolutions(network, size):
            networks, known = found.get((spec, seen), ([], False))
            networks += [label] * (label not in networks)
            found[spec, seen] = networks, known or dynamic
    return tuple(LayerShape(spec, seen, tuple(n), dynamic) for (spec, seen), (n, dynamic) in found.items())


def _convolutions(network: str, size: int) -> list[tuple[ConvSpec, tuple[int, ...], bool]]:
    """Geometry, input size, and whether it is dynamic, of every convolution of a network, in order."""
    with torch.device("meta"):
        if network in SEEDS:
            model = create_model(network, conv="static")
            own = {name for name, m in create_model(network).named_modules() if isinstance(m, DynamicConv)}
        else:
            model, own = backbone(network), set()
    found = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):

            def note(conv: nn.Module, given: tuple[Tensor, ...], name: str = name) -> None:
                assert isinstance(conv, nn.Conv2d)
                found.append((spec_of_conv(conv), tuple(given[0].shape[2:]), name in own))

            module.register_forward_pre_hook(note)
    with torch.no_grad():
        model.eval()(torch.empty(1, 3, size, size, device="meta"))
    return found
