"""Checkpoints of iSQRT-COV networks and of the pooling layer alone from jiangtaoxie/fast-MPN-COV."""

from __future__ import annotations

from torch import nn

from dynaconv.convert.checkpoints.source import Source, State, changed

__all__ = ["SOURCE", "head_name"]

_CHANGES = (
    # In a network, and in the layer alone.
    (r"^layer_reduce\.", "avgpool.reduce.0."),
    (r"^layer_reduce_bn\.", "avgpool.reduce.1."),
    (r"^conv_dr_block\.", "reduce."),
)


def head_name(key: str) -> str:
    """Our name of a tensor of the pooling head; other names as they are."""
    return changed(key, _CHANGES)


def _rename(state: State, model: nn.Module) -> State:
    """Their names as ours, for a network of `create_model` or an `IsqrtCovPool`."""
    return {head_name(key): value for key, value in state.items()}


SOURCE = Source("jiangtaoxie/fast-MPN-COV", _rename)
