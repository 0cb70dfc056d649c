"""Weights as safetensors."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from torch import Tensor

from dynaconv.errors import CheckpointError, MissingExtraError
from dynaconv.train.atomic import write_bytes

__all__ = ["load_weights", "save_weights"]

_PREFIX = "model."  # of the network inside the Lightning module


def save_weights(state: dict[str, Tensor], path: Path) -> None:
    """Writes the network's part of a Lightning state, whole or not at all."""
    tensors = {k.removeprefix(_PREFIX): v.contiguous().clone() for k, v in state.items() if k.startswith(_PREFIX)}
    write_bytes(path, _safetensors().torch.save(tensors))


def load_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in `path`.

    Raises:
        CheckpointError: if the file is missing or damaged.
    """
    safetensors = _safetensors()
    try:
        content: dict[str, Tensor] = safetensors.torch.load(path.read_bytes())
    except OSError as error:
        raise CheckpointError(path, f"cannot be read: {error.strerror}") from error
    except safetensors.SafetensorError as error:
        raise CheckpointError(path, f"damaged: {error}") from error
    return content


def _safetensors() -> ModuleType:
    """The package with its `torch` part, asked for at first use: without it the rest of the package still imports."""
    try:
        import_module("safetensors.torch")
        return import_module("safetensors")
    except ModuleNotFoundError as error:
        raise MissingExtraError("safetensors", "train") from error
