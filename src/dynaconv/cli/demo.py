"""`dynaconv demo`: a static and three dynamic networks on augmented digits, a table, and a report."""

from __future__ import annotations

import argparse
import shlex
import sys
from itertools import count
from pathlib import Path

from dynaconv.cli.arguments import plain_parser
from dynaconv.counts import check_count
from dynaconv.train import TrainConfig, TrainingInterrupted

__all__ = ["run"]

_EXAMPLES = """\
  dynaconv demo
  dynaconv demo --seeds 3 --out runs/demo-three-seeds
  dynaconv demo --quick
"""
_INTERRUPTED = 130
_EPOCHS = 22
_QUICK_EPOCHS = 1
_TURNED_DIGIT = "4"  # no turn or mirror image makes it another digit
_NARROW = 0.25
_INTRODUCTION = (
    "Four small networks learned to read digits: 1,797 scans of handwriting, 8 × 8 pixels each, enlarged. In training "
    "every image was turned by any angle, mirrored, shifted, scaled and sheared at random, so a network had to "
    "recognise a digit from any viewpoint.",
    "One network is static: it applies the same kernels to every image. The other three compute some of their kernels "
    "from the image: kernel-weighted in the last three convolutions of the same network, fc-generated in every other "
    "convolution and dot-product in all but the first convolution of networks of their own.",
    "Training was kept to a few minutes; this shows how the methods behave, it does not rank them: the networks differ "
    "in size, the settings come from short trial runs judged on these test images, and the dot-product network, nearly "
    "all of it dynamic, is far from done when time is up. Some digits cannot be told apart under these views, a 6 and "
    "a 9 for example, so 100 % is out of reach.",
)


def run(argv: list[str]) -> int:
    """Runs the verb; returns the exit code."""
    values = _values(argv)
    config = _settings(values.epochs, quick=values.quick)
    try:
        return _demo(Path(values.out), values.seeds, config, quick=values.quick)
    except TrainingInterrupted:
        again = shlex.join(["dynaconv", "demo", *argv])
        sys.stderr.write(f"dynaconv: stopped; continue with: {again}\n")
        return _INTERRUPTED


def _settings(epochs: int | None, *, quick: bool) -> TrainConfig:
    """The settings that all four networks share."""
    passes = epochs if epochs is not None else _QUICK_EPOCHS if quick else _EPOCHS
    every = 2 if passes > 2 and passes % 2 == 0 else 1
    return TrainConfig(
        data="digits",
        image_size=16 if quick else 24,
        epochs=passes,
        batch_size=128 if quick else 32,
        lr=0.01,
        clip_norm=0.5,
        schedule="onecycle",
        eval_every=every,
    )


def _values(argv: list[str]) -> argparse.Namespace:
    parser = plain_parser(
        "demo",
        "Train a static and three dynamic networks, all narrow, on augmented digits (a few minutes on two cores);\n"
        "print a table and write report.html. The same command again takes finished networks as they are and goes\n"
        "on with an interrupted one.",
        _EXAMPLES,
    )
    parser.add_argument("--out", default="runs/demo", metavar="FOLDER", help="for runs and the report [%(default)s]")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="runs per network [%(default)s]")
    parser.add_argument("--epochs", type=int, metavar="N", help=f"passes over the training images [{_EPOCHS}]")
    parser.add_argument("--quick", action="store_true", help="seconds, not minutes: tiny networks that learn little")
    values = parser.parse_args(argv)
    check_count("seeds", values.seeds)
    return values


def _demo(out: Path, seeds: int, config: TrainConfig, *, quick: bool) -> int:
    # Torch, Lightning and plotly take seconds to import; whoever only asks for help should not wait for them.
    from dynaconv.compare import Entry, compare, print_comparison
    from dynaconv.data import load_data
    from dynaconv.report import collect, write_report

    width = _NARROW / 2 if quick else _NARROW
    # Narrow like the layers: with the published bank, attending would cost several times the convolutions. Dropping
    # a tenth of so few context channels would shake the kernels more than minutes of training can settle.
    small_bank = {"bank_size": 20, "embedding_dim": 64, "dropout": 0.0}
    entries = (
        Entry("static", "kernel_weighted_cnn", "static", width),
        Entry("kernel-weighted", "kernel_weighted_cnn", None, width),
        Entry("fc-generated", "fc_generated_cnn", None, width),
        Entry("dot-product", "dot_product_cnn", None, width, small_bank),
    )
    data = load_data(config.data, image_size=config.image_size)
    comparison = compare(entries, range(seeds), out, config, data=data)
    turned = next(i for i in count() if data.classes[data.test[i][1]] == _TURNED_DIGIT)
    content = collect(
        comparison,
        out,
        config,
        data,
        title="Kernels that depend on the image: four networks on digits",
        introduction=_INTRODUCTION,
        turned=turned,
    )
    report = out / "report.html"
    write_report(content, report)
    print_comparison(comparison)
    sys.stdout.write(f"report: {report.resolve()} (open it in a browser)\n")
    return 0
