"""Checkpoints of the three seed networks and their layers from mhorton19/CNN-Kernel-Attention."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping

from torch import nn

from dynaconv.convert.checkpoints.source import Source, State
from dynaconv.layers import BatchRenorm2d, DotProductConv2d, FCGeneratedConv2d, KernelWeightedConv2d

__all__ = ["SOURCE"]

# The convolutions of all three networks in the order in which they act; each has those with static or dynamic kernels
# at different places. A normalisation is called as its convolution, with "bn".
_ORDER = (
    *("conv1_1", "cond_conv1_1", "conv1_2"),
    *("cond_conv2_1", "conv2_1"),
    *("cond_conv3_1", "conv3_1", "cond_conv3_2", "conv3_2", "cond_conv3_3", "conv3_3"),
)

_NAMES: Mapping[type[nn.Module], Mapping[str, str]] = {
    KernelWeightedConv2d: {
        "attention_weights": "gate.embedding",
        "kernel_generator.fc_out.weight": "gate.fc.weight",
        "kernel_generator.fc_out.bias": "gate.fc.bias",
    },
    FCGeneratedConv2d: {
        "weight": "slices.embedding",
        "kernel_generator.fc1.weight": "slices.fc1.weight",
        "kernel_generator.fc1.bias": "slices.fc1.bias",
        "kernel_generator.fc_gate.bias": "context_gate.bias",
        "kernel_generator.fc_out.weight": "slices.fc_out.weight",
        "kernel_generator.fc_out.bias": "slices.fc_out.bias",
    },
    DotProductConv2d: {
        "kernel_set": "slices.bank",
        "kernel_vectors": "slices.keys",
        "input_vectors": "slices.in_vectors",
        "output_vectors": "slices.out_vectors",
        "fc_attention.weight": "fc.weight",
        "fc_attention.bias": "fc.bias",
    },
    BatchRenorm2d: {"gamma": "weight", "beta": "bias"},
}


def _rename(state: State, model: nn.Module) -> State:
    """Their names as ours, for a network of `create_model` or a layer."""
    if type(model) in _NAMES:
        return _layer(state, model)
    parts: dict[str, State] = defaultdict(dict)
    for key, value in state.items():
        part, _, tensor = key.partition(".")
        parts[part][tensor] = value
    modules, places = dict(model.named_modules()), _places(parts, model)
    renamed: State = {}
    for part, tensors in parts.items():
        place = places.get(part, part)
        layer = modules.get(place)
        ours = tensors if layer is None else _layer(tensors, layer)
        renamed |= {f"{place}.{tensor}" if tensor else place: value for tensor, value in ours.items()}
    return renamed


def _places(parts: Mapping[str, State], model: nn.Module) -> dict[str, str]:
    """Where our network has each of their modules."""
    features = model.get_submodule("features") if hasattr(model, "features") else nn.Sequential()
    rows = [name.removeprefix("conv") for name, _ in features.named_children() if name.startswith("conv")]
    places = {"fc": "classifier"}
    for theirs, row in zip((name for name in _ORDER if name in parts), rows, strict=False):
        places |= {theirs: f"features.conv{row}", theirs.replace("conv", "bn"): f"features.norm{row}"}
    return places


def _layer(tensors: State, layer: nn.Module) -> State:
    """One layer's tensors."""
    names = _NAMES.get(type(layer), {})
    renamed = {names.get(key, key): value for key, value in tensors.items()}
    joint = renamed.pop("kernel_generator.fc_gate.weight", None)
    if joint is not None and isinstance(layer, FCGeneratedConv2d):
        # Theirs acts on an embedding and the context, one after the other.
        own = layer.slices.embedding.shape[2]
        renamed |= {"slices.fc_gate.weight": joint[:, :own], "context_gate.weight": joint[:, own:]}
    if isinstance(layer, BatchRenorm2d):
        warnings.warn(
            "mhorton19/CNN-Kernel-Attention saves no statistics of batch renormalisation: show the network training "
            "images in training mode before evaluating it",
            stacklevel=4,
        )
        renamed = {key: value.flatten() for key, value in renamed.items()}
        renamed = {**dict(layer.named_buffers()), **renamed}
    return renamed


SOURCE = Source("mhorton19/CNN-Kernel-Attention", _rename)
