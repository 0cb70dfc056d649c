"""Which parameters a run moves, how fast, and which of them decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.nn import Parameter

from dynaconv.attention.base import AttentionBlock
from dynaconv.errors import ConfigError
from dynaconv.layers import DynamicConv
from dynaconv.train.config import TrainConfig

__all__ = ["attention_parameters", "freeze_inherited", "parameter_groups"]

# What a static convolution hands on to the layers of all methods; the rest of a layer says how the kernel attends.
_KERNEL = {"weight", "bias", "bank", "slices", "warehouse.cells", "kernels.spectrum"}


def attention_parameters(model: nn.Module) -> list[str]:
    """Names of the parameters that make coefficients: those of dynamic layers but for their kernels, and of attention
    blocks. In a converted model they are the ones that its static form did not have.

    Example:
        >>> from dynaconv.layers import DyConv2d
        >>> attention_parameters(nn.Sequential(nn.Conv2d(3, 8, 3), DyConv2d(8, 8, 3)))
        ['1.router.hidden.weight', '1.router.scores.weight']
    """
    found: set[Parameter] = set()
    for module in model.modules():
        if isinstance(module, AttentionBlock):
            found.update(module.parameters())
        elif isinstance(module, DynamicConv):
            found.update(p for name, p in module.named_parameters() if not _is_kernel(name))
    return [name for name, parameter in model.named_parameters() if parameter in found]


def _is_kernel(name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in _KERNEL for count in (1, 2))


def freeze_inherited(model: nn.Module, fresh: Iterable[str] = ()) -> None:
    """Let nothing learn but what makes coefficients, and the parameters that start afresh.

    Args:
        model: is changed.
        fresh: names of parameters that learn as well, such as those of a new classifier.

    Raises:
        ConfigError: the model has no dynamic layer and no attention block.
    """
    learning = {*attention_parameters(model)}
    if not learning:
        raise ConfigError("freeze_inherited=True needs a network with dynamic convolutions: --convert METHOD")
    learning.update(fresh)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in learning and parameter.requires_grad)


def parameter_groups(config: TrainConfig, model: nn.Module) -> list[dict[str, Any]]:
    """The parameters that learn, as an optimiser takes them: at most four groups, the network's own weights first.

    Args:
        config: `attention_lr`, the factor on the rate of what makes coefficients, and `decay`.
        model: the network.
    """
    attention = {*attention_parameters(model)} if config.attention_lr != 1 else set()
    groups: dict[tuple[bool, bool], list[Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decays = config.decay == "all" or _decays(name, parameter)
            groups.setdefault((name in attention, not decays), []).append(parameter)
    return [
        {
            "params": groups[attends, spared],
            "lr": config.lr * (config.attention_lr if attends else 1.0),
            "weight_decay": 0.0 if spared else config.weight_decay,
        }
        for attends, spared in sorted(groups)
    ]


def _decays(name: str, parameter: Parameter) -> bool:
    """Kernels and matrices do; biases, also banks of them, and the factors of normalisations do not."""
    return parameter.dim() > 1 and name.rpartition(".")[2] != "bias"
