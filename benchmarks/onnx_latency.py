"""Times exported networks in onnxruntime: dynamic, frozen, and the static twin, in turns in one process.

On a quiet machine:

    python benchmarks/onnx_latency.py export measure
    python benchmarks/onnx_latency.py measure --batch 1 32 --size 160 224     # the files that are there
    python benchmarks/onnx_latency.py export --networks odconv4x_resnet18     # writes them, and times nothing

The frozen network is the dynamic one with its coefficients averaged, then folded; batch normalisations of all three are
folded, as onnxruntime does by itself where kernels are static. Exporting compares every file with PyTorch first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from dynaconv import create_model, fold_batchnorm, freeze
from dynaconv.bench.measure import Effort, Timing, in_turns
from dynaconv.bench.networks import settle
from dynaconv.export import export_onnx

# A dynamic network and its static twin.
NETWORKS = {"odconv4x_resnet18": "resnet18", "odconv4x_mobilenetv2_100": "mobilenetv2_100"}
FORMS = ("static", "dynamic", "frozen")


def forms(name: str, images: torch.Tensor) -> dict[str, nn.Module]:
    """The networks to export, with statistics that keep signals at their scale."""
    torch.manual_seed(0)
    static, dynamic = create_model(NETWORKS[name]), create_model(name)
    for model in (static, dynamic):
        settle(model, images)
        model.eval()
    made = {"static": static, "dynamic": dynamic, "frozen": freeze(dynamic, images)}
    return {form: fold_batchnorm(model) for form, model in made.items()}


def export(options: argparse.Namespace) -> None:
    """Write three files for every network."""
    # Statistics of two images would make branches of attention so steep that rounding shows.
    images = torch.randn(16, 3, options.size[0], options.size[0])
    for name in options.networks:
        for form, model in forms(name, images).items():
            path = place(options.folder, name, form)
            print(export_onnx(model, path, images[:1], batches=(1, 2), tolerance=1e-3), flush=True)


def measure(options: argparse.Namespace) -> None:
    """Print a table in Markdown."""
    effort = Effort(least=options.rounds, most=options.rounds, seconds=float("inf"), long=float("inf"))
    print(
        f"onnxruntime {onnxruntime.__version__}, {options.threads} threads, medians of {options.rounds} runs in turns"
    )
    print("| network | batch | size | static, ms | dynamic, ms | ratio | frozen, ms | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in options.networks:
        sessions = {form: session(place(options.folder, name, form), options.threads) for form in FORMS}
        for size in options.size:
            for batch in options.batch:
                x = np.random.default_rng(0).standard_normal((batch, 3, size, size), dtype=np.float32)
                found = in_turns({form: partial(run, made, x) for form, made in sessions.items()}, effort)
                print(f"| {name} | {batch} | {size} | {cells(found)} |", flush=True)


def place(folder: Path, name: str, form: str) -> Path:
    """Where a file is."""
    return folder / f"{name}-{form}.onnx"


def session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """A file in onnxruntime, on the CPU."""
    if not path.exists():
        raise SystemExit(f"{path}: no such file; run `python benchmarks/onnx_latency.py export` first")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    # Threads that wait in a loop for more to do would take time from the session whose turn it is.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])


def run(made: onnxruntime.InferenceSession, x: np.ndarray) -> None:
    """One inference."""
    made.run(None, {"input": x})


def cells(found: dict[str, Timing]) -> str:
    """Milliseconds, with ratios to the static network's."""
    static = found["static"].median
    shown = [f"{1e3 * static:.1f}"]
    for form in FORMS[1:]:
        shown += [f"{1e3 * found[form].median:.1f}", f"{found[form].median / static:.2f}"]
    return " | ".join(shown)


def main() -> None:
    """Read the command line, and export or measure."""
    steps: dict[str, Callable[[argparse.Namespace], None]] = {"export": export, "measure": measure}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="+", choices=steps, help="write the files, time them, or both")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=[*NETWORKS], help="[all]")
    parser.add_argument("--folder", type=Path, default=Path("runs/onnx"), help="of the files [runs/onnx]")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8], help="batch sizes to time [1 8]")
    parser.add_argument("--size", type=int, nargs="+", default=[224], help="heights and widths of images [224]")
    parser.add_argument("--rounds", type=int, default=11, help="timed runs of every form [11]")
    parser.add_argument("--threads", type=int, default=2, help="of onnxruntime [2]")
    options = parser.parse_args()
    for step in options.steps:
        steps[step](options)


if __name__ == "__main__":
    main()
