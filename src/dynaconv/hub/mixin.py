"""A model as huggingface_hub's mixin knows models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from torch import nn

from dynaconv.errors import MissingExtraError
from dynaconv.hub.card import card_text, methods
from dynaconv.hub.config import config_of
from dynaconv.hub.save import load, read_info, save

try:
    from huggingface_hub import ModelCard, ModelCardData, ModelHubMixin, snapshot_download
except ImportError as error:
    raise MissingExtraError("huggingface_hub", "hub") from error

__all__ = ["HubModel"]


class HubModel(ModelHubMixin):
    """A model with the methods of the mixin: `save_pretrained`, `from_pretrained`, `push_to_hub`.

    Args:
        model: as `save` takes it.
        info: what else is known of it; see `save`, and `card_text` for what the model card shows.
    """

    def __init__(self, model: nn.Module, info: Mapping[str, Any] | None = None) -> None:
        self.model = model
        self.info = dict(info or {})

    def _save_pretrained(self, save_directory: Path) -> None:
        save(self.model, save_directory, self.info)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        base: nn.Module | None = None,
        **_: Any,
    ) -> Self:
        folder = model_id
        if not Path(model_id).is_dir():
            folder = snapshot_download(
                model_id,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
                allow_patterns=["config.json", "model.safetensors"],
            )
        return cls(load(folder, base), read_info(folder))

    def generate_model_card(self, *_: Any, name: str = "A dynaconv model", **__: Any) -> ModelCard:
        """The card, with what search engines of models read in front.

        Args:
            *_: the mixin's.
            name: the heading.
            **__: the mixin's.
        """
        config = config_of(self.model, self.info)
        front = ModelCardData(
            library_name="dynaconv",
            license=self.info.get("licence"),
            pipeline_tag="image-classification",
            datasets=self.info.get("dataset"),
            tags=["dynamic-convolution", *methods(config)],
        )
        return ModelCard(f"---\n{front.to_yaml()}\n---\n\n{card_text(name, config, self.model)}")
