"""The library's networks under timm's names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from torch import nn

from dynaconv.errors import ArgumentError, MissingExtraError
from dynaconv.models import create_model, list_models

__all__ = ["register_with_timm"]

_PREFIX = "dynaconv_"
# What timm hands to every builder, whether the network knows it or not.
_TIMMS = {"pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}


def register_with_timm() -> list[str]:
    """Let `timm.create_model("dynaconv_NAME")` make every network of `list_models()`; returns the names.

    `num_classes` and `in_chans` are timm's words for what they are here; there are no pretrained weights.

    Raises:
        MissingExtraError: timm is not installed.
    """
    try:
        from timm.models import is_model, register_model
    except ImportError as error:
        raise MissingExtraError("timm", "train") from error
    # To timm, what stands behind a point is a tag of weights.
    names = {f"{_PREFIX}{name.replace('.', '_')}": name for name in list_models()}
    module = sys.modules[__name__]
    exported = list(__all__)
    for entry, name in names.items():
        if not is_model(entry):
            register_model(_builder(entry, name))
    module.__all__[:] = exported  # timm adds the names, which are none of this module's
    return list(names)


def _builder(entry: str, name: str) -> Callable[..., nn.Module]:
    def build(pretrained: bool = False, num_classes: int = 1000, in_chans: int = 3, **options: Any) -> nn.Module:
        if pretrained:
            raise ArgumentError("pretrained", pretrained, "False: there are no weights here; see load_published")
        given = {option: value for option, value in options.items() if option not in _TIMMS}
        return create_model(name, num_classes=num_classes, in_channels=in_chans, **given)

    build.__name__ = build.__qualname__ = entry
    return build
