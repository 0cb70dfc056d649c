"""Tensors in a safetensors file: numbers and text, nothing that could be executed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

from dynaconv.atomic import write_bytes
from dynaconv.convert.checkpoints.source import State
from dynaconv.errors import CheckpointError, MissingExtraError

__all__ = ["read_metadata", "read_safetensors", "write_safetensors"]


def write_safetensors(path: Path, state: State, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors, whole or not at all.

    Args:
        path: the file.
        state: by name; tensors that share memory are written each.
        metadata: texts that are kept beside them.
    """
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in state.items()}
    texts = {"format": "pt", **(metadata or {})}
    write_bytes(path, _safetensors().torch.save(tensors, texts))


def read_safetensors(path: Path) -> State:
    """The tensors of a file, on the CPU.

    The header is held against the file's size before anything is allocated: it cannot claim more than is there.

    Raises:
        CheckpointError: no such file, or one that is damaged.
    """
    package = _safetensors()
    _check_is_file(path)
    try:
        found: State = package.torch.load_file(path)
    except (package.SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise _damaged(path, error) from error
    return found


def read_metadata(path: Path) -> dict[str, str]:
    """The texts beside the tensors of a file.

    Raises:
        CheckpointError: no such file, or one that is damaged.
    """
    package = _safetensors()
    _check_is_file(path)
    try:
        with package.safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (package.SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _check_is_file(path: Path) -> None:
    if not path.is_file():
        raise CheckpointError(path, "no such file")


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(path, f"is damaged or not a safetensors file ({' '.join(str(error).split())[:200]})")


def _safetensors() -> ModuleType:
    """The package with its `torch` part, asked for at first use: without it the rest of the library still imports."""
    try:
        import_module("safetensors.torch")
        return import_module("safetensors")
    except ModuleNotFoundError as error:
        raise MissingExtraError("safetensors", "hub") from error
