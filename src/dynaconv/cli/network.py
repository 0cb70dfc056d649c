"""The network that a command line names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from dynaconv.errors import ArgumentError
from dynaconv.hub import load, read_info
from dynaconv.models import create_model
from dynaconv.models.published import PRESETS

__all__ = ["network_of"]


def network_of(
    place: str, conv: str | None = None, classes: int | None = None, channels: int | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """A network, and what is known of it and of its images.

    Args:
        place: a run folder, a model saved by `dynaconv.save`, or a network's name.
        conv: of a network by name, the method of its convolutions.
        classes: of a network by name, class scores.
        channels: of the images of a network by name.

    Raises:
        ArgumentError: no such network, or something that a saved one brings with it is given.
    """
    path = Path(place)
    if not path.exists():
        known = PRESETS.get(place)
        model = create_model(place, conv=conv, num_classes=classes, in_channels=channels or 3)
        return model, {} if known is None else {"image_size": known.input_size[1:]}
    for argument, value in (("conv", conv), ("classes", classes)):
        if value is not None:
            raise ArgumentError(argument, value, f"left out: {path} has its own")
    if (path / "config.yaml").exists():
        from dynaconv.train import load_model, run_info

        return load_model(path), run_info(path)
    return load(path), dict(read_info(path))
