"""Checkpoints of RedNets and involution layers from d-li14/involution."""

from __future__ import annotations

from torch import nn

from dynaconv.convert.checkpoints.source import Source, State, changed

__all__ = ["SOURCE"]

# Inside a layer; and the stem, whose last convolution and normalisation have places of their own in our network.
_LAYER = (
    (r"(^|\.)conv1\.conv\.(.+)$", r"\1taps.reduce.\2"),
    (r"(^|\.)conv1\.bn\.(.+)$", r"\1taps.norm.\2"),
    (r"(^|\.)conv2\.conv\.(.+)$", r"\1taps.span.\2"),
)
_NETWORK = (
    (r"^backbone\.", ""),
    (r"^head\.fc\.", "fc."),
    (r"^stem\.0\.conv\.", "conv1.0."),
    (r"^stem\.0\.bn\.", "conv1.1."),
    (r"^stem\.1\.", "conv1.3."),
    (r"^stem\.2\.", "conv1.4."),
    (r"^stem\.4\.conv\.", "conv1.6."),
    (r"^stem\.4\.bn\.", "bn1."),
)


def _rename(state: State, model: nn.Module) -> State:
    """Their names, of a whole classifier or of one layer, as ours."""
    return {changed(key, (*_NETWORK, *_LAYER)): value for key, value in state.items()}


SOURCE = Source("d-li14/involution", _rename)
