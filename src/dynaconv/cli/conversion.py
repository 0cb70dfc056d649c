"""What the command lines of `plan` and `convert` have in common: a network, a method, and which layers."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from dynaconv.convert import Plan
from dynaconv.counts import check_count
from dynaconv.errors import ConfigError

__all__ = ["add_flags", "arguments_of", "example_of", "facts"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("model", help="a run folder, a model saved by dynaconv.save, or a network's name")
    parser.add_argument("--include", nargs="+", metavar="NAME", help="these layers and no others; * and ? fit anything")
    parser.add_argument("--exclude", nargs="+", metavar="NAME", help="keep these layers")
    parser.add_argument("--kernel-size", type=int, metavar="N", help="only convolutions of this size")
    parser.add_argument("--min-channels", type=int, metavar="N", help="only layers with so many channels")
    parser.add_argument("--stages", type=int, nargs="+", metavar="N", help="only layers of these stages, from 1")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the method, such as num_kernels=2"
    )
    parser.add_argument("--classes", type=int, metavar="N", help="of a network by name: class scores [the published]")
    parser.add_argument("--channels", type=int, default=3, metavar="N", help="channels of the image [3]")
    parser.add_argument("--size", type=int, metavar="N", help="height and width of an image to run the network on")
    parser.add_argument("--json", action="store_true", help="print JSON")


def arguments_of(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `plan` and `convert`, those that choose layers and the method's.

    Raises:
        ConfigError: an option is not written as NAME=VALUE.
    """
    chosen = ("include", "exclude", "kernel_size", "min_channels", "stages")
    given = {name: getattr(options, name) for name in chosen}
    for text in options.option:
        name, sign, value = text.partition("=")
        if not (name.isidentifier() and sign) or name in given:
            raise ConfigError(f"--option {text}: expected NAME=VALUE with the name of an option of the method")
        given[name] = _value(value)
    return given


def example_of(options: argparse.Namespace) -> Tensor | None:
    """An image of noise, if a size is given.

    Raises:
        ArgumentError: a size is no image's.
    """
    for name in ("size", "channels"):
        value = getattr(options, name)
        if value is not None:
            check_count(name, value)
    return None if options.size is None else torch.rand(1, options.channels, options.size, options.size)


def facts(plan: Plan) -> str:
    """A plan as JSON."""
    return json.dumps(asdict(plan), indent=2)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"None": None, "True": True, "False": False}.get(text, text)
