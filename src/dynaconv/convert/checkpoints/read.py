"""Read a state dict from a file without executing code."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import torch
from torch import Tensor

from dynaconv.convert.checkpoints.safetensors_file import read_safetensors
from dynaconv.convert.checkpoints.source import State
from dynaconv.errors import ArgumentError, CheckpointError

__all__ = ["as_state", "read_state", "unwrapped"]

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "module", "weights")
# What torch and zipfile raise on files that are not what they seem; a claimed size too large for the machine among it.
_DAMAGES = (
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    OSError,
    TypeError,
    AttributeError,
    AssertionError,
    BadZipFile,
    MemoryError,
    OverflowError,
    struct.error,
)


def read_state(path: str | Path) -> State:
    """The tensors of a `.safetensors`, `.pth`, `.pt` or `.pth.tar` file, unwrapped.

    Raises:
        CheckpointError: no such file, not a checkpoint, or one that would execute code when read.
        MissingExtraError: a safetensors file, and safetensors is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(path, "no such file")
    return unwrapped(read_safetensors(path) if path.suffix == ".safetensors" else _torch(path), path)


def unwrapped(found: object, path: str | Path = "state dict") -> State:
    """A plain state dict: taken out of dictionaries around it, `module.` prefixes of data-parallel training removed.

    Raises:
        CheckpointError: there are no tensors inside.
    """
    while isinstance(found, Mapping) and not any(isinstance(v, Tensor) for v in found.values()):
        inner = next((found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            break
        found = inner
    if not isinstance(found, Mapping):
        raise CheckpointError(path, f"holds a {type(found).__name__}, not a dictionary of weights")
    state = {str(k): v for k, v in found.items() if isinstance(v, Tensor)}
    if not state:
        raise CheckpointError(path, f"holds no weights under any of {', '.join(_WRAPPERS)}")
    while all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return state


def _torch(path: Path) -> Any:
    try:
        _check_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        needs_code = any(word in str(error) for word in ("GLOBAL", "REDUCE", "BUILD", "INST"))
        reason = "would execute code when read" if needs_code else "is not a PyTorch checkpoint"
        raise CheckpointError(
            path, f"refused: it {reason}; save the state dict alone with torch.save or safetensors"
        ) from error
    except _DAMAGES as error:
        raise CheckpointError(path, "is damaged or not a PyTorch checkpoint") from error


def _check_archive(path: Path) -> None:
    """Raise for a zip archive that unfolds to more than its own size; PyTorch writes none."""
    if not is_zipfile(path):
        return
    with ZipFile(path) as archive:
        claimed = sum(entry.file_size for entry in archive.infolist())
    if claimed > path.stat().st_size:
        raise CheckpointError(path, f"refused: it unfolds to {claimed:,} bytes, more than the file has")


def as_state(given: str | Path | Mapping[str, Any]) -> State:
    """A state dict from a path or a dictionary.

    Raises:
        ArgumentError: it is neither.
        CheckpointError: the file or dictionary holds no weights.
    """
    if isinstance(given, str | Path):
        return read_state(given)
    if isinstance(given, Mapping):
        return unwrapped(given)
    raise ArgumentError("path_or_state_dict", type(given).__name__, "a path or a state dict")
