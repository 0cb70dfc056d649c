"""`dynaconv train`: trains the network that flags or a recipe describe."""

from __future__ import annotations

import sys
from dataclasses import fields

from dynaconv.cli.parser import add_config_flags, make_parser, parse
from dynaconv.train import RunResult, TrainConfig, TrainingInterrupted, fit
from dynaconv.train.processes import is_first_process

__all__ = ["run"]

_EXAMPLES = """\
  dynaconv train --data digits --model kernel_weighted_cnn --width 0.25 --epochs 10 --out runs/first
  dynaconv train --data digits --model kernel_weighted_cnn --conv static --width 0.25 --out runs/twin
  dynaconv train --config recipes/fashion_mnist_quick.yaml --seed 1 --out runs/fashion-1
  dynaconv train --data cifar10 --model resnet18 --weights resnet18.pth --convert odconv --lr 0.001 --out runs/tuned
  dynaconv train --config runs/first/config.yaml --resume
"""
_INTERRUPTED = 130


def run(argv: list[str]) -> int:
    """Runs the verb; returns the exit code."""
    parser = make_parser(
        "train",
        "dynaconv train [--config RECIPE] [flags]",
        "Train a network and test it on clean and on turned images. Everything a run writes is in its folder.",
        _EXAMPLES,
    )
    parser.add_argument("--resume", action="store_true", help="continue the run in --out where it stopped")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_config_flags(parser)
    values = parse(parser, argv)
    config = TrainConfig(**{entry.name: values[entry.name] for entry in fields(TrainConfig)})
    try:
        result = fit(config, resume=values["resume"], show_progress=not values["quiet"])
    except TrainingInterrupted as stopped:
        sys.stderr.write(f"dynaconv: {stopped}\n")
        return _INTERRUPTED
    if is_first_process():
        sys.stdout.write(_summary(result))
    return 0


def _summary(result: RunResult) -> str:
    return (
        f"{result.parameters:,} parameters, {result.macs / 1e6:.1f} M multiply-adds, "
        f"{result.seconds_per_step * 1e3:.1f} ms per step\n"
        f"accuracy: clean {result.clean_accuracy:.2%}, viewpoint {result.viewpoint_accuracy:.2%}\n"
        f"run folder: {result.out}\n"
    )
