"""Optimiser and learning-rate schedule of a configuration."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from dynaconv.train.config import TrainConfig
from dynaconv.train.parameter_groups import parameter_groups

__all__ = ["make_optimizer", "rate_factor"]

_ONECYCLE_RISE = 0.3  # share of the run, as in Smith's one-cycle policy and in torch
_ONECYCLE_START = 1 / 25
_ONECYCLE_END = 1e-5


def make_optimizer(config: TrainConfig, model: nn.Module) -> Optimizer:
    """The optimiser that `config` names, over what learns in `model`."""
    groups = parameter_groups(config, model)
    if config.optimizer == "sgd":
        return SGD(
            groups,
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            nesterov=config.nesterov,
        )
    kind = Adam if config.optimizer == "adam" else AdamW
    return kind(
        groups,
        lr=config.lr,
        betas=(config.betas[0], config.betas[1]),
        weight_decay=config.weight_decay,
        amsgrad=config.amsgrad,
    )


def rate_factor(config: TrainConfig, steps_per_epoch: int) -> Callable[[int], float]:
    """The factor on `config.lr` at each optimiser step: a pure function of the step, so resuming needs no state.

    Args:
        config: schedule and warm-up.
        steps_per_epoch: optimiser steps in an epoch.
    """
    total = config.epochs * steps_per_epoch

    def factor(step: int) -> float:
        risen = min(1.0, (step + 1) / (config.warmup_steps + 1))
        return (config.warmup_from + (1 - config.warmup_from) * risen) * _shape(config, step, total, steps_per_epoch)

    return factor


def _shape(config: TrainConfig, step: int, total: int, steps_per_epoch: int) -> float:
    """The schedule without warm-up."""
    if config.schedule == "cosine":
        after = max(0, step - config.warmup_steps)
        return _half_cosine(1.0, 0.0, after / max(1, total - config.warmup_steps))
    if config.schedule == "step":
        passed = sum(step >= epoch * steps_per_epoch for epoch in config.milestones)
        return float(config.gamma**passed)
    if config.schedule == "cyclic":
        half = config.cycle_steps or max(1, total // 2)
        return 1 - abs(step % (2 * half) / half - 1)
    if config.schedule == "onecycle":
        rise = max(1.0, _ONECYCLE_RISE * total)
        if step < rise:
            return _half_cosine(_ONECYCLE_START, 1.0, step / rise)
        return _half_cosine(1.0, _ONECYCLE_END, (step - rise) / max(1.0, total - rise))
    return 1.0


def _half_cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2
