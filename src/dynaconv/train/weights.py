"""The weights of a run as safetensors."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from dynaconv.convert.checkpoints.safetensors_file import read_safetensors, write_safetensors

__all__ = ["load_weights", "save_weights"]

_PREFIX = "model."  # of the network inside the Lightning module


def save_weights(state: dict[str, Tensor], path: Path) -> None:
    """Writes the network's part of a Lightning state, whole or not at all."""
    write_safetensors(path, {k.removeprefix(_PREFIX): v for k, v in state.items() if k.startswith(_PREFIX)})


def load_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in `path`.

    Raises:
        CheckpointError: if the file is missing or damaged.
    """
    return read_safetensors(path)
