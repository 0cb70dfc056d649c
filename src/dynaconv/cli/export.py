"""`dynaconv export`: a network as an ONNX file that runs without this library."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

from dynaconv.cli.arguments import plain_parser
from dynaconv.cli.network import network_of
from dynaconv.counts import check_count
from dynaconv.export import OnnxFile, export_onnx

__all__ = ["run"]

_EXAMPLES = """\
  dynaconv export runs/first --out first.onnx
  dynaconv export odconv4x_resnet18 --out odconv.onnx --classes 10
  dynaconv export resnet18 --conv dyconv --out dyconv.onnx --size 128
  dynaconv export model.safetensors --out model.onnx --size 32 --fixed-size
"""
_SIZE = 224


def run(argv: list[str]) -> int:
    """Runs the verb; returns the exit code."""
    parser = plain_parser(
        "export",
        "Write a network as one ONNX file that runs without this library, for any batch and image size. It is compared "
        "with PyTorch in onnxruntime first; if they differ, there is no file and the exit code is 2.",
        _EXAMPLES,
    )
    parser.add_argument(
        "model",
        help="a run folder, a model saved by dynaconv.save, or a network's name: with fresh weights, to try things out",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="the ONNX file")
    parser.add_argument("--conv", metavar="NAME", help="of a network by name: the method of its convolutions [its own]")
    parser.add_argument("--classes", type=int, metavar="N", help="of a network by name: class scores [the published]")
    parser.add_argument("--channels", type=int, metavar="N", help="channels of the image [the run's, or 3]")
    parser.add_argument("--size", type=int, metavar="N", help="height and width to compare on [the run's, or 224]")
    parser.add_argument("--fixed-size", action="store_true", help="the file takes images of --size alone")
    parser.add_argument(
        "--opset", type=int, metavar="N", help="version of ONNX's operators, for older runtimes [the exporter's choice]"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=1e-4,
        metavar="X",
        help="accepted difference, as a share of the largest output [1e-4]",
    )
    parser.add_argument("--json", action="store_true", help="print what was written and compared as JSON")
    options = parser.parse_args(argv)
    for name in ("channels", "size"):
        if getattr(options, name) is not None:
            check_count(name, getattr(options, name))
    model, info = network_of(options.model, options.conv, options.classes, options.channels)
    mean, std, labels = (info.get(key) for key in ("mean", "std", "classes"))
    channels = options.channels or (len(mean) if mean else 3)
    size = [options.size] * 2 if options.size else info.get("image_size", [_SIZE, _SIZE])
    written = export_onnx(
        model,
        options.out,
        torch.zeros(1, channels, *size),
        labels=labels,
        mean=mean,
        std=std,
        free_size=not options.fixed_size,
        opset=options.opset,
        tolerance=options.tolerance,
    )
    sys.stdout.write((json.dumps(_facts(written), indent=2) if options.json else str(written)) + "\n")
    return 0


def _facts(written: OnnxFile) -> dict[str, Any]:
    return {
        "path": str(written.path),
        "bytes": written.size,
        "metadata": dict(written.metadata),
        "checks": [
            {"shape": check.shape, "largest": check.difference.largest, "relative": check.difference.relative}
            for check in written.checks
        ],
    }
