"""Record what an authors' layer or network computes, with weights and inputs made up from their names."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from support.made_up_weights import made_up_state, numbers
from torch import nn


def record(path: Path, module: nn.Module, *shape: int) -> None:
    """One evaluation with the input's gradient, then a training step: output, gradient and running statistics.

    Args:
        path: of the safetensors file to write.
        module: is given weights.
        shape: of the input, `numbers("x", shape)`; the output's gradient is `numbers("upstream", ...)`.
    """
    noted = _filled(module)
    x = numbers("x", shape).requires_grad_()
    y = module.eval()(x)
    upstream = numbers("upstream", tuple(y.shape))
    kept = {"y": y.detach(), "x_gradient": torch.autograd.grad(y, x, upstream)[0]}
    y = module.train()(x)
    kept |= {"y_training": y.detach(), "x_gradient_training": torch.autograd.grad(y, x, upstream)[0]}
    kept |= {f"after.{key}": value.clone() for key, value in module.state_dict().items() if "running" in key}
    save_file({key: value.contiguous() for key, value in kept.items()}, path, noted)


def record_network(path: Path, network: nn.Module, *shape: int) -> None:
    """The scores in training mode: with made-up running statistics activations would grow from layer to layer."""
    noted = _filled(network)
    with torch.no_grad():
        y = network.train()(numbers("x", shape))
    save_file({"y": y.contiguous()}, path, noted)


def _filled(module: nn.Module) -> dict[str, str]:
    """Give a module weights computed from their names; their names and shapes as a file's metadata."""
    shapes = {key: tuple(value.shape) for key, value in module.double().state_dict().items()}
    module.load_state_dict(made_up_state(shapes), strict=False)
    return {"shapes": json.dumps(shapes)}
