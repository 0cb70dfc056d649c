"""The page that tells what a shared model is: made from its description and what its run measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from dynaconv.hub.config import ModelConfig

__all__ = ["card_text", "methods"]


def card_text(name: str, config: ModelConfig, model: nn.Module) -> str:
    """A model card in Markdown, without its front matter.

    Args:
        name: the heading.
        config: how the model was made; of its `info`, `dataset`, `classes`, `image_size`, `mean`, `std`, `accuracy`
            (a mapping of names to shares), `licence` and `training` have a place.
        model: for its size.
    """
    info = config.info
    parameters = sum(parameter.numel() for parameter in model.parameters())
    facts = {
        "network": (config.created or {}).get("name", "not one of dynaconv's: load asks for it"),
        "dynamic convolutions": _dynamic(config),
        "parameters": f"{parameters:,}",
        "data set": info.get("dataset", "not told"),
        "licence": info.get("licence", "not told"),
        **{what: ", ".join(map(str, info[what])) for what in ("image_size", "mean", "std", "classes") if what in info},
    }
    parts = [f"# {name}", "An image classifier made with dynaconv: convolutions whose kernels depend on the input."]
    parts += [_table(("", ""), {what.replace("_", " "): value for what, value in facts.items()})]
    if info.get("accuracy"):
        shown = {what: f"{100 * share:.2f} %" for what, share in info["accuracy"].items()}
        parts += [
            "## Accuracy",
            "On the test images, once, after the last epoch.",
            _table(("images", "correct"), shown),
        ]
    if info.get("training"):
        parts += ["## Training", _table(("setting", "value"), info["training"])]
    use = "```python\nimport dynaconv\n\nmodel = dynaconv.load(FOLDER)  # executes no code of the files\n```"
    return "\n\n".join([*parts, "## Use", use]) + "\n"


def methods(config: ModelConfig) -> list[str]:
    """The methods of a model's kernels and its attention blocks, each once."""
    created = config.created or {}
    named = [created.get("conv"), *(c.get("method") or c.get("attention") for c in config.conversions)]
    return list(dict.fromkeys(str(one) for one in named if one))


def _dynamic(config: ModelConfig) -> str:
    named = ", ".join(methods(config)) or "none"
    return f"{named}; frozen, so that inference is static" if any("frozen" in c for c in config.conversions) else named


def _table(header: tuple[str, str], rows: Mapping[str, Any]) -> str:
    lines = [f"| {' | '.join(header)} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {_cell(what)} | {_cell(value)} |" for what, value in rows.items())])


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
