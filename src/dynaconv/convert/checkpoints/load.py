"""Load the authors' checkpoints into our models and layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from dynaconv.convert.checkpoints.read import as_state
from dynaconv.convert.checkpoints.source import State
from dynaconv.convert.checkpoints.sources import SOURCES
from dynaconv.errors import ArgumentError, CheckpointError

__all__ = ["load_published", "misfits"]

M = TypeVar("M", bound=nn.Module)

_MOST_SHOWN = 8


def load_published(model: M, path_or_state_dict: str | Path | Mapping[str, Any], source: str) -> M:
    """Load an authors' checkpoint; no code of the file is executed.

    Args:
        model: a network of `create_model`, or a single layer; it is changed, and returned.
        path_or_state_dict: `.pth`, `.pth.tar`, `.pt` or `.safetensors`, or what `torch.load` returned; wrapping
            dictionaries and `module.` prefixes are taken off.
        source: whose checkpoint it is, such as `"OSVAI/ODConv"`.

    Raises:
        ArgumentError: no such source.
        CheckpointError: the file is damaged, would execute code, or its names or shapes do not fit; the message lists
            what is missing, unexpected and of another shape, and the model is left as it was.
    """
    if source not in SOURCES:
        raise ArgumentError("source", source, f"one of {', '.join(SOURCES)}")
    where = path_or_state_dict if isinstance(path_or_state_dict, str | Path) else "state dict"
    state = SOURCES[source].rename(as_state(path_or_state_dict), model)
    problems = misfits(model.state_dict(), state)
    if problems:
        raise CheckpointError(where, f"does not fit {type(model).__name__} from {source}: {'; '.join(problems)}")
    model.load_state_dict(state, strict=False)
    return model


def misfits(own: State, state: State) -> list[str]:
    """What keeps a state dict from being loaded into a model whose own is given; nothing where nothing does."""
    # Published files leave out what is not learnt: counters of batches, and the temperature.
    needed = [key for key in own if key.rsplit(".", 1)[-1] not in ("num_batches_tracked", "value")]
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    found = {
        "missing": [key for key in needed if key not in state],
        "unexpected": [key for key in state if key not in own],
        "of another shape": shapes,
    }
    return [f"{len(keys)} {what}: {_shown(keys)}" for what, keys in found.items() if keys]


def _shown(keys: Iterable[str]) -> str:
    listed = list(keys)
    rest = len(listed) - _MOST_SHOWN
    return ", ".join(listed[:_MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
