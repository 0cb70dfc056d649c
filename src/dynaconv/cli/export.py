"""`dynaconv export`: a network as an ONNX file that runs without this library."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dynaconv.cli.arguments import plain_parser
from dynaconv.errors import ArgumentError
from dynaconv.export import OnnxFile, export_onnx
from dynaconv.hub import load, read_info
from dynaconv.models import create_model
from dynaconv.models.published import PRESETS

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
        "Write a network as ONNX, with free batch and image size, after checking it against PyTorch in onnxruntime.",
        _EXAMPLES,
    )
    parser.add_argument("model", help="a run folder, a model saved by dynaconv.save, or a network's name")
    parser.add_argument("--out", required=True, metavar="FILE", help="the ONNX file")
    parser.add_argument("--conv", metavar="NAME", help="of a network by name: the method of its convolutions [its own]")
    parser.add_argument("--classes", type=int, metavar="N", help="of a network by name: class scores [the published]")
    parser.add_argument("--channels", type=int, metavar="N", help="channels of the image [the run's, or 3]")
    parser.add_argument("--size", type=int, metavar="N", help="height and width to check on [the run's, or 224]")
    parser.add_argument("--fixed-size", action="store_true", help="images of --size alone")
    parser.add_argument("--tolerance", type=float, default=1e-4, metavar="X", help="largest relative difference [1e-4]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    for name in ("channels", "size"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise ArgumentError(name, getattr(options, name), "an integer >= 1")
    model, info = _model(options)
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
        tolerance=options.tolerance,
    )
    sys.stdout.write((json.dumps(_facts(written), indent=2) if options.json else str(written)) + "\n")
    return 0


def _model(options: Namespace) -> tuple[nn.Module, dict[str, Any]]:
    """The network, and what is known of its images."""
    path = Path(options.model)
    if path.exists():
        for flag in ("conv", "classes"):
            if getattr(options, flag) is not None:
                raise ArgumentError(flag, getattr(options, flag), f"left out: {path} has its own")
    if (path / "config.yaml").exists():
        from dynaconv.train import load_model, run_info

        return load_model(path), run_info(path)
    if path.exists():
        return load(path), dict(read_info(path))
    model = create_model(
        options.model, conv=options.conv, num_classes=options.classes, in_channels=options.channels or 3
    )
    known = PRESETS.get(options.model)
    return model, {} if known is None else {"image_size": known.input_size[1:]}


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
