"""The weights that a network starts from."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import nn

from dynaconv.convert.checkpoints import read_state
from dynaconv.convert.checkpoints.load import misfits
from dynaconv.convert.checkpoints.source import State
from dynaconv.errors import CheckpointError

__all__ = ["load_start"]

log = logging.getLogger("dynaconv")


def load_start(model: nn.Module, path: str | Path) -> list[str]:
    """Load weights into a fresh network; a classifier of other classes keeps its fresh start.

    Args:
        model: is changed.
        path: a `.safetensors`, `.pth` or `.pt` file of its weights; no code of the file is executed.

    Returns:
        Names of the parameters that are fresh still.

    Raises:
        CheckpointError: the file cannot be used, or does not fit; the model is left as it was.
    """
    state, own = read_state(path), model.state_dict()
    fresh = _classifier(model) if _for_other_classes(model, state) else []
    state = {key: value for key, value in state.items() if key not in fresh}
    problems = misfits({key: value for key, value in own.items() if key not in fresh}, state)
    if problems:
        raise CheckpointError(path, f"does not fit {type(model).__name__}: {'; '.join(problems)}")
    model.load_state_dict(state, strict=False)
    if fresh:
        log.warning("%s is for other classes: %s start afresh", path, " and ".join(fresh))
    return fresh


def _classifier(model: nn.Module) -> list[str]:
    """Names of the last linear layer's parameters, its weight first."""
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return [f"{names[-1]}.{name}" for name, _ in model.get_submodule(names[-1]).named_parameters()] if names else []


def _for_other_classes(model: nn.Module, state: State) -> bool:
    """Whether weights differ from a model's in the classifier's number of outputs."""
    weight = next(iter(_classifier(model)), "")
    if weight not in state or state[weight].dim() != 2:
        return False
    (outputs, inputs), own = state[weight].shape, model.get_parameter(weight).shape
    return bool(inputs == own[1] and outputs != own[0])
