"""The network that a configuration names, for a data set."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from dynaconv.convert import convert
from dynaconv.convert.rules import RULES
from dynaconv.data import ImageData
from dynaconv.errors import ArgumentError
from dynaconv.layers import list_convs
from dynaconv.models import create_model, list_models
from dynaconv.models.backbones import is_backbone
from dynaconv.train.config import TrainConfig
from dynaconv.train.parameter_groups import freeze_inherited
from dynaconv.train.rules import check_choice
from dynaconv.train.start import load_start

__all__ = ["build_network", "check_names", "drop_classifier_inputs"]


def check_names(config: TrainConfig) -> None:
    """Raises `ArgumentError` with a suggestion for an unknown network or method."""
    if not is_backbone(config.model):
        check_choice("model", config.model, list_models())
    if config.conv is not None:
        check_choice("conv", config.conv, list_convs())
    if config.convert is not None:
        check_choice("convert", config.convert, RULES)


def build_network(config: TrainConfig, data: ImageData, *, start: bool = True) -> nn.Module:
    """The network of `config` for the channels and classes of `data`, as a run starts with it.

    Args:
        config: the run.
        data: the images.
        start: whether to load the weights that the run starts from; a network that gets others anyway needs none.

    Raises:
        ArgumentError: no such network or method, or one that does not take an option.
        CheckpointError: the weights do not fit the network, before it is converted.
        ConversionError: the converted network would not compute the same.
    """
    check_names(config)
    model = create_model(
        config.model,
        conv=config.conv,
        conv_options=dict(config.conv_options) or None,
        num_classes=len(data.classes),
        in_channels=data.channels,
        width=config.width,
    )
    fresh = load_start(model, config.weights) if start and config.weights else []
    if config.convert is not None:
        options: dict[str, Any] = dict(config.convert_options)
        model = convert(model, config.convert, inherit=start, **options)
    if config.freeze_inherited:
        freeze_inherited(model, fresh)
    if config.dropout is not None:
        drop_classifier_inputs(model, config.dropout)
    return model


def drop_classifier_inputs(model: nn.Module, share: float) -> None:
    """Sets the dropout before the last linear layer, or adds one where the network has none; names stay as they are.

    Args:
        model: is changed.
        share: of the classifier's inputs.

    Raises:
        ArgumentError: the model has no linear layer.
    """
    linear = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ArgumentError("dropout", share, "a network that ends in a linear layer, or left out")
    name, classifier = linear[-1]
    siblings = [*model.get_submodule(name.rpartition(".")[0]).children()]
    before = siblings[: siblings.index(classifier)]
    if before and isinstance(before[-1], nn.Dropout):
        before[-1].p = share
    else:
        classifier.register_forward_pre_hook(partial(_dropped, share))


def _dropped(share: float, classifier: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    """What the classifier sees."""
    return nn.functional.dropout(inputs[0], share, classifier.training)
