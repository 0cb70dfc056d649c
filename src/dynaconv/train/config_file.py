"""Configurations as YAML: recipes, and the resolved `config.yaml` of a run folder."""

from __future__ import annotations

from dataclasses import asdict, fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from dynaconv.atomic import write_bytes
from dynaconv.errors import ConfigError, MissingExtraError
from dynaconv.train.config import TrainConfig
from dynaconv.train.rules import check_choice

__all__ = ["load_config", "save_config"]


def load_config(path: str | Path) -> TrainConfig:
    """The configuration in a YAML file; keys that are left out have their default.

    Args:
        path: a recipe or a run's `config.yaml`.

    Raises:
        ConfigError: if the file cannot be read or is no mapping.
        ArgumentError: for an unknown key or a value that is not allowed.
    """
    yaml = _yaml()
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected lines of the form `key: value`")
    for key in content:
        check_choice(f"{path}: key", key, [entry.name for entry in fields(TrainConfig)])
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    return TrainConfig(**values)


def save_config(config: TrainConfig, path: str | Path) -> None:
    """Writes every field of `config` as YAML, whole or not at all."""
    content = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()}
    write_bytes(Path(path), _yaml().safe_dump(content, sort_keys=False).encode())


def _yaml() -> ModuleType:
    """PyYAML, asked for at first use: without it the rest of the package still imports."""
    try:
        return import_module("yaml")
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyyaml", "train") from error
