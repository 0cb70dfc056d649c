"""Models on a hub, and from one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from dynaconv.hub.save import load

__all__ = ["from_pretrained", "push_to_hub"]


def push_to_hub(model: nn.Module, repo: str, info: Mapping[str, Any] | None = None, **options: Any) -> str:
    """Upload a model with its description and a model card; returns the address of the commit.

    Args:
        model: as `save` takes it.
        repo: such as `"somebody/odconv-resnet18"`.
        info: what the model card tells: `dataset`, `classes`, `image_size`, `mean`, `std`, `accuracy`, `licence`,
            `training`; `dynaconv.train.run_info` makes it from a run.
        **options: those of huggingface_hub's `push_to_hub`, such as `private` and `token`.

    Raises:
        ArgumentError: the model was changed after it was made.
        MissingExtraError: huggingface_hub is not installed.
    """
    # Loaded at first use: the rest of the library does without.
    from dynaconv.hub.mixin import HubModel

    card = {"name": repo.rpartition("/")[2]}
    return str(HubModel(model, info).push_to_hub(repo, model_card_kwargs=card, **options))


def from_pretrained(repo: str | Path, base: nn.Module | None = None, **options: Any) -> nn.Module:
    """A model from a hub, or from a local folder; no code of the files is executed.

    Args:
        repo: such as `"somebody/odconv-resnet18"`, or a folder.
        base: as in `load`.
        **options: those of huggingface_hub's `from_pretrained`, such as `revision`, `token` and `cache_dir`.

    Raises:
        CheckpointError: the files are damaged, or do not fit each other.
        MissingExtraError: huggingface_hub is not installed, and `repo` is no folder.
    """
    if Path(repo).is_dir():
        return load(repo, base)
    from dynaconv.hub.mixin import HubModel

    return HubModel.from_pretrained(str(repo), base=base, **options).model
