"""Names of tensors inside the layers of a model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from dynaconv.convert.checkpoints.source import State

__all__ = ["renamed_in_layers"]


def renamed_in_layers(state: State, model: nn.Module, kind: type[nn.Module], names: Mapping[str, str]) -> State:
    """A state dict with the tensors of every layer of a kind renamed, and shaped as the layer has them.

    Args:
        state: theirs; other tensors are passed on.
        model: ours, or a single layer.
        kind: of the layers.
        names: their part of a name inside a layer → ours; names that start with `part.` change with it.
    """
    layers = {name: layer.state_dict() for name, layer in model.named_modules() if isinstance(layer, kind)}
    found = {}
    for key, value in state.items():
        place = next((name for name in layers if not name or key.startswith(f"{name}.")), None)
        if place is None:
            found[key] = value
            continue
        prefix = f"{place}." if place else ""
        inner = _renamed(key.removeprefix(prefix), names)
        own = layers[place].get(inner)
        # Linear layers are 1×1 convolutions there; banks may be matrices with a row for every expert.
        fits = own is not None and own.numel() == value.numel()
        found[prefix + inner] = value.reshape(own.shape) if own is not None and fits else value
    return found


def _renamed(inner: str, names: Mapping[str, str]) -> str:
    for theirs, ours in names.items():
        if inner == theirs or inner.startswith(f"{theirs}."):
            return ours + inner.removeprefix(theirs)
    return inner
