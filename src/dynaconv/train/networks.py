"""The network that a configuration names, for a data set."""

from __future__ import annotations

from torch import nn

from dynaconv.data import ImageData
from dynaconv.layers import list_convs
from dynaconv.models import create_model, list_models
from dynaconv.train.config import TrainConfig
from dynaconv.train.rules import check_choice

__all__ = ["build_network", "check_names"]


def check_names(config: TrainConfig) -> None:
    """Raises `ArgumentError` with a suggestion for an unknown network or method."""
    check_choice("model", config.model, list_models())
    if config.conv is not None:
        check_choice("conv", config.conv, list_convs())


def build_network(config: TrainConfig, data: ImageData) -> nn.Module:
    """The network of `config` for the channels and classes of `data`, freshly initialised."""
    check_names(config)
    return create_model(
        config.model,
        conv=config.conv,
        conv_options=dict(config.conv_options) or None,
        num_classes=len(data.classes),
        in_channels=data.channels,
        width=config.width,
    )
