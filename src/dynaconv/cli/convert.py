"""`dynaconv convert`: a network made dynamic, with what it has learned."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from torch import nn

from dynaconv.cli.arguments import plain_parser
from dynaconv.cli.conversion import add_flags, arguments_of, example_of, facts
from dynaconv.cli.network import network_of
from dynaconv.convert import Plan, convert
from dynaconv.errors import ConfigError
from dynaconv.hub import save
from dynaconv.models import create_model

__all__ = ["run"]

_EXAMPLES = """\
  dynaconv convert runs/static --method odconv --out dynamic.safetensors
  dynaconv convert resnet18 --weights resnet18.pth --method dyconv --option num_kernels=2 --out dynamic.safetensors
  dynaconv convert resnet50 --pretrained --attention gsop_channel --where stages --out gsop.safetensors
"""


def run(argv: list[str]) -> int:
    """Runs the verb; returns the exit code."""
    parser = plain_parser(
        "convert",
        "Replace a network's convolutions by dynamic ones that compute the same, which is proven layer by layer, or "
        "put attention blocks in; save the result.",
        _EXAMPLES,
    )
    add_flags(parser)
    parser.add_argument("--method", metavar="NAME", help="what convolutions become: see `dynaconv list`")
    parser.add_argument("--attention", metavar="NAME", help="instead of a method: attention blocks to put in")
    parser.add_argument("--where", nargs="+", metavar="NAME", help="they go: blocks, stages, or behind these modules")
    parser.add_argument("--weights", metavar="FILE", help="of a network by name: its weights")
    parser.add_argument("--pretrained", action="store_true", help="of a network by name: download its weights")
    parser.add_argument("--fresh", action="store_true", help="start the new layers afresh instead of from the old")
    parser.add_argument("--out", required=True, metavar="FILE", help="the converted model, for dynaconv.load")
    options = parser.parse_args(argv)
    arguments, example = arguments_of(options), example_of(options)
    model, info = _start(options)
    where = options.where[0] if options.where is not None and len(options.where) == 1 else options.where
    converted = convert(
        model,
        options.method,
        inherit=not options.fresh,
        attention=options.attention,
        where=where,
        example=example,
        **arguments,
    )
    save(converted, options.out, info)
    done: Any = converted.conversions
    sys.stdout.write(_told(done[-1], options.json) + "\n")
    return 0


def _start(options: argparse.Namespace) -> tuple[nn.Module, dict[str, Any]]:
    """The network with its weights, and what is known of it."""
    if not (options.weights or options.pretrained):
        return network_of(options.model, classes=options.classes, channels=options.channels)
    if options.weights and options.pretrained:
        raise ConfigError("--weights and --pretrained: expected one of both")
    model = create_model(
        options.model, num_classes=options.classes, in_channels=options.channels, pretrained=options.pretrained
    )
    if options.weights:
        from dynaconv.train.start import load_start

        load_start(model, options.weights)
    return model, {}


def _told(done: Any, as_json: bool) -> str:
    if isinstance(done, Plan):
        return facts(done) if as_json else str(done)
    return f"{done.attention} behind {', '.join(done.names)}"
