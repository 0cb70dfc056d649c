"""Save a model with a description of how it was made, and load it without executing code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dynaconv.atomic import write_bytes
from dynaconv.convert.checkpoints.load import misfits
from dynaconv.convert.checkpoints.safetensors_file import read_metadata, read_safetensors, write_safetensors
from dynaconv.errors import ArgumentError, CheckpointError, DynaconvError, MissingExtraError
from dynaconv.hub.config import ModelConfig, config_of
from dynaconv.hub.rebuild import outline, own_state, rebuilt

__all__ = ["load", "read_config", "read_info", "save"]

_KEY = "dynaconv"
_WEIGHTS, _DESCRIPTION = "model.safetensors", "config.json"
_LONGEST = 16_000_000  # bytes of a description
# What names and numbers that nobody checked can make layers raise.
_UNBUILT = (
    DynaconvError,
    TypeError,
    ValueError,
    RuntimeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    MemoryError,
)


def save(model: nn.Module, path: str | Path, info: Mapping[str, Any] | None = None) -> None:
    """Save weights, temperatures and statistics, and how the model was made.

    Args:
        model: from `create_model` or `convert`. A network from elsewhere is saved too; to load it, it has to be given.
        path: a `.safetensors` file; any other name is a folder that gets `model.safetensors` and `config.json`.
        info: what else is known of the model: numbers, texts, lists and mappings.

    Raises:
        ArgumentError: the model was changed after it was made, so that its description would not give it back.
        MissingExtraError: safetensors is not installed.

    Example:
        >>> import dynaconv, tempfile
        >>> model = dynaconv.create_model("kernel_weighted_cnn", width=0.25)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dynaconv.save(model, f"{folder}/model.safetensors")
        ...     again = dynaconv.load(f"{folder}/model.safetensors")
        >>> type(again).__name__
        'SequentialCNN'
    """
    config, state, path = config_of(model, info), own_state(model), Path(path)
    text = config.to_json()
    if config.created is not None:
        problems = _differences(outline(config), state)
        if problems:
            allowed = "a model as create_model and convert made it"
            remedy = "after `del model.created` it is saved as a network from elsewhere, which load asks for"
            raise ArgumentError("model", type(model).__name__, f"{allowed} ({'; '.join(problems)}); {remedy}")
    if path.suffix == ".safetensors":
        path.parent.mkdir(parents=True, exist_ok=True)
        write_safetensors(path, state, {_KEY: text})
        return
    path.mkdir(parents=True, exist_ok=True)
    write_safetensors(path / _WEIGHTS, state)
    write_bytes(path / _DESCRIPTION, f"{text}\n".encode())


def load(path: str | Path, base: nn.Module | None = None) -> nn.Module:
    """A saved model, on the CPU and in evaluation. No code of the file is executed.

    What the file claims is compared with the tensors that it holds before a model of that size is made.

    Args:
        path: a file or folder that `save` wrote.
        base: the network before its conversions, where `create_model` did not make it; it is not changed.

    Raises:
        ArgumentError: `base` is missing or unasked for.
        CheckpointError: no such file, a damaged one, or one whose weights do not fit its description.
        MissingExtraError: safetensors, or what the network comes from, is not installed.
    """
    path = Path(path)
    config = read_config(path)
    if (config.created is None) == (base is None):
        rebuilt(config, base)  # says so
    state = read_safetensors(path / _WEIGHTS if path.is_dir() else path)
    try:
        problems = _differences(outline(config, base), state)
        model = rebuilt(config, base) if not problems else nn.Identity()
    except MissingExtraError:
        raise
    except _UNBUILT as error:
        words = " ".join(str(error).split())[:500]
        raise CheckpointError(path, f"describes a model that cannot be made: {words}") from error
    if problems:
        raise CheckpointError(path, f"its weights do not fit its description: {'; '.join(problems)}")
    for name, tensor in own_state(model).items():
        # The type of the file, in memory of its own; layers that share a tensor go on sharing it.
        tensor.data = state[name].clone()
    return model.eval()


def read_info(path: str | Path) -> dict[str, Any]:
    """What `save` was told of a model.

    Raises:
        CheckpointError: no such file or folder, or a damaged one.
    """
    return dict(read_config(Path(path)).info)


def read_config(path: Path) -> ModelConfig:
    """The description in a file or folder.

    Raises:
        CheckpointError: no such file or folder, or none of ours.
    """
    if not path.is_dir():
        metadata = read_metadata(path)
        if _KEY not in metadata:
            raise CheckpointError(path, "holds weights without a description; load_published and --weights take those")
        return ModelConfig.from_json(metadata[_KEY], path)
    file = path / _DESCRIPTION
    if not file.is_file():
        raise CheckpointError(path, f"a folder without {_DESCRIPTION}")
    if file.stat().st_size > _LONGEST:
        raise CheckpointError(file, f"refused: longer than {_LONGEST:,} bytes")
    try:
        return ModelConfig.from_json(file.read_text(encoding="utf-8"), file)
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(file, "cannot be read as text") from error


def _differences(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """What keeps tensors from being a model's: names, shapes, or numbers of another kind."""
    problems = misfits(dict(own), dict(state))
    missing = [name for name in own if name not in state]
    if missing and not problems:
        problems.append(f"{len(missing)} missing: {', '.join(missing[:8])}")
    kinds = [name for name in own if name in state and _kind(own[name]) != _kind(state[name])]
    return problems + ([f"numbers of another kind: {', '.join(kinds[:8])}"] if kinds else [])


def _kind(tensor: Tensor) -> str:
    return "real" if tensor.is_floating_point() else str(tensor.dtype)
