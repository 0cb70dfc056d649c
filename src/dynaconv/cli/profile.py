"""`dynaconv profile NAME`: a network's layers with their parameters and multiply-adds."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import torch

from dynaconv.cli.arguments import plain_parser
from dynaconv.counts import check_count
from dynaconv.models import create_model, profile
from dynaconv.models.published import PRESETS

__all__ = ["run"]

_EXAMPLES = """\
  dynaconv profile odconv4x_resnet18
  dynaconv profile resnet18 --conv dyconv --size 128
  dynaconv profile kernel_weighted_cnn --size 32 --json
"""
_SIZE = 224


def run(argv: list[str]) -> int:
    """Runs the verb; returns the exit code."""
    parser = plain_parser(
        "profile",
        "Print a network's layers with their parameters and, for one image, their multiply-adds; those that make "
        "kernels (assembly) stand apart. Nothing is trained or downloaded.",
        _EXAMPLES,
    )
    parser.add_argument("name", help="a network: see `dynaconv list`, or any of torchvision or timm")
    parser.add_argument("--conv", metavar="NAME", help="the method that makes its convolutions [its own]")
    parser.add_argument("--size", type=int, metavar="N", help="height and width of the image [the published, or 224]")
    parser.add_argument("--channels", type=int, default=3, metavar="N", help="channels of the image [3]")
    parser.add_argument("--classes", type=int, metavar="N", help="number of class scores [the published]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    if options.size is not None:
        check_count("size", options.size)
    size = options.size or (PRESETS[options.name].input_size[-1] if options.name in PRESETS else _SIZE)
    # Shapes alone are needed.
    with torch.device("meta"):
        model = create_model(options.name, conv=options.conv, num_classes=options.classes, in_channels=options.channels)
    found = profile(model, (options.channels, size, size))
    sys.stdout.write((json.dumps(asdict(found), indent=2) if options.json else str(found)) + "\n")
    return 0
