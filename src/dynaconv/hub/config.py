"""How a model was made, as text: the arguments of `create_model`, then each conversion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from torch import nn

from dynaconv.convert import FoldReport, Freezing, Insertion, Plan
from dynaconv.errors import ArgumentError, CheckpointError

__all__ = ["ModelConfig", "config_of"]

_VERSION = 1
# No size of a layer comes near; what a file claims is held against it before anything is made.
_LARGEST = 1_000_000


@dataclass(frozen=True)
class ModelConfig:
    """How a model was made, and what is known of it.

    Attributes:
        created: the arguments of `create_model`; `None` for a network from elsewhere.
        conversions: one mapping each: `method`, `layers` (the names of each) and `options`; `attention`, `names` and
            `options`; `frozen` (the layers) and `biased` (those with a bias); or `folded` (normalisations, and where
            they went).
        info: what else is known: labels, normalisation, accuracies, licence.
    """

    created: Mapping[str, Any] | None = None
    conversions: tuple[Mapping[str, Any], ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """As text.

        Raises:
            ArgumentError: a value is none that JSON can hold.
        """
        content = {
            "dynaconv": _VERSION,
            "created": self.created,
            "conversions": list(self.conversions),
            "info": self.info,
        }
        try:
            return json.dumps(content, indent=2, allow_nan=False)
        except (TypeError, ValueError) as error:
            allowed = "numbers, texts, lists and mappings, in the options of layers too"
            raise ArgumentError("info", str(error), allowed) from error

    @classmethod
    def from_json(cls, text: str, path: Path) -> ModelConfig:
        """From text that may hold anything.

        Args:
            text: as `to_json` returns it.
            path: named in errors.

        Raises:
            CheckpointError: it is none of ours.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CheckpointError(path, "its description is no JSON") from error
        if not isinstance(content, dict) or content.get("dynaconv") != _VERSION:
            raise CheckpointError(path, f"holds no description of dynaconv's, version {_VERSION}")
        created, conversions, info = (content.get(key) for key in ("created", "conversions", "info"))
        if not isinstance(created, dict | None) or not isinstance(info, dict) or not isinstance(conversions, list):
            raise CheckpointError(path, "its description lacks created, conversions or info")
        if not all(_is_conversion(one) for one in conversions) or not _is_modest((created, conversions)):
            raise CheckpointError(path, "its description holds a conversion that none of dynaconv's writes")
        return cls(created, tuple(conversions), info)


def config_of(model: nn.Module, info: Mapping[str, Any] | None = None) -> ModelConfig:
    """How a model was made, by what `create_model`, `convert`, `freeze` and `fold_batchnorm` left on it.

    Args:
        model: any.
        info: what else is known of it.
    """
    conversions: Any = getattr(model, "conversions", ())
    return ModelConfig(
        getattr(model, "created", None),
        tuple(_as_mapping(done) for done in conversions),
        dict(info or {}),
    )


def _as_mapping(done: Any) -> dict[str, Any]:
    if isinstance(done, Insertion):
        return {"attention": done.attention, "names": list(done.names), "options": dict(done.options)}
    if isinstance(done, Freezing):
        return {"frozen": list(done.layers), "biased": list(done.biased)}
    if isinstance(done, FoldReport):
        return {"folded": dict(done.folded)}
    assert isinstance(done, Plan)
    layers = [list(layer.names) for layer in done.layers if layer.action == "replace"]
    return {"method": done.method, "layers": layers, "options": dict(done.options)}


def _is_conversion(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    if "frozen" in value:
        return _is_texts(value["frozen"]) and _is_texts(value.get("biased"))
    if "folded" in value:
        return isinstance(value["folded"], dict) and _is_texts([*value["folded"].values()])
    if not isinstance(value.get("options"), dict):
        return False
    if isinstance(value.get("attention"), str):
        return _is_names(value.get("names"))
    layers = value.get("layers")
    return isinstance(value.get("method"), str) and isinstance(layers, list) and all(map(_is_names, layers))


def _is_names(value: object) -> bool:
    return _is_texts(value) and bool(value)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_modest(value: object) -> bool:
    """Whether all numbers in a value are of the size that sizes of layers have."""
    if isinstance(value, dict):
        return all(_is_modest(one) for one in value.values())
    if isinstance(value, list | tuple):
        return all(_is_modest(one) for one in value)
    return not isinstance(value, int | float) or (isfinite(value) and abs(value) <= _LARGEST)
