"""What is recorded of mhorton19/CNN-Kernel-Attention, and the weights that it was recorded with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.made_up_weights import made_up_state
from torch import Tensor

SCRIPTS = {
    "kernel_weighted": "kernel_weighted_cnn",
    "fc_generated": "fc_generated_kernel_cnn",
    "dot_product": "dot_product_generated_kernel_cnn",
}


@dataclass(frozen=True)
class Variant:
    """A layer of theirs: in and out channels, kernel size, the rest of its geometry, options, and the input's size.

    `theirs` and `ours` are the options by their names and by ours.
    """

    channels: tuple[int, int] = (6, 8)
    kernel_size: int = 3
    geometry: Mapping[str, Any] = field(default_factory=dict)
    theirs: Mapping[str, Any] = field(default_factory=dict)
    ours: Mapping[str, Any] = field(default_factory=dict)
    size: tuple[int, int, int] = (2, 6, 6)


_CONTEXT = ({"channels_used": 4}, {"context_channels": 4})
_BANK = ({"num_kernels": 5, "vector_length": 7}, {"bank_size": 5, "embedding_dim": 7})
_STRIDED = {"stride": 2, "padding": 1}
# Their default bias stops at more than one sample, but in the fc-generated layer.
_NO_BIAS = {"bias": False}

VARIANTS: Mapping[str, Mapping[str, Variant]] = {
    "kernel_weighted": {
        "plain": Variant(geometry=_NO_BIAS, theirs=_CONTEXT[0], ours=_CONTEXT[1]),
        "strided": Variant(geometry=_STRIDED | _NO_BIAS, theirs=_CONTEXT[0], ours=_CONTEXT[1]),
        "groups": Variant(geometry={"groups": 2, "dilation": 2} | _NO_BIAS, theirs=_CONTEXT[0], ours=_CONTEXT[1]),
        "depthwise": Variant((6, 6), geometry={"groups": 6} | _NO_BIAS, theirs=_CONTEXT[0], ours=_CONTEXT[1]),
        "bias": Variant(theirs=_CONTEXT[0], ours=_CONTEXT[1], size=(1, 6, 6)),
        "wide": Variant(geometry=_NO_BIAS, theirs=_CONTEXT[0], ours=_CONTEXT[1], size=(2, 5, 8)),
        "vectors": Variant(
            geometry=_NO_BIAS,
            theirs={"channels_used": 6, "vector_size": 3},
            ours={"context_channels": 6, "embedding_dim": 3},
        ),
    },
    "fc_generated": {
        "plain": Variant(theirs=_CONTEXT[0], ours=_CONTEXT[1]),
        "strided": Variant(geometry=_STRIDED | _NO_BIAS, theirs=_CONTEXT[0], ours=_CONTEXT[1]),
        "groups": Variant(geometry={"groups": 2, "padding": 1}, theirs=_CONTEXT[0], ours=_CONTEXT[1]),
        "depthwise": Variant((6, 6), 2, {"groups": 6}, theirs=_CONTEXT[0], ours=_CONTEXT[1]),
        "wide": Variant(theirs=_CONTEXT[0], ours=_CONTEXT[1], size=(2, 5, 8)),
        "embedding": Variant(
            theirs={"channels_used": 4, "kernel_parameters": 5}, ours={"context_channels": 4, "embedding_dim": 5}
        ),
    },
    "dot_product": {
        "plain": Variant(geometry=_NO_BIAS, theirs=_BANK[0], ours=_BANK[1]),
        "strided": Variant(geometry=_STRIDED | _NO_BIAS, theirs=_BANK[0], ours=_BANK[1]),
        "groups": Variant(geometry={"groups": 2, "dilation": 2} | _NO_BIAS, theirs=_BANK[0], ours=_BANK[1]),
        "depthwise": Variant((6, 6), 2, {"groups": 6} | _NO_BIAS, theirs=_BANK[0], ours=_BANK[1]),
        "bias": Variant(theirs=_BANK[0], ours=_BANK[1], size=(1, 6, 6)),
        "wide": Variant(geometry=_NO_BIAS, theirs=_BANK[0], ours=_BANK[1], size=(2, 5, 8)),
    },
}


def state_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Made-up weights, with attention vectors long enough that the attention is not the same everywhere."""
    state = made_up_state(shapes)
    for name, tensor in state.items():
        if name.endswith(("_vectors", "attention_weights")):
            tensor.mul_(8)
        elif name.endswith("gamma"):
            tensor.add_(1)
    return state
