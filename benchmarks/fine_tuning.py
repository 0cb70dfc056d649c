"""Whether a converted network starts where the static one ended, and ends no worse than it tuned equally long.

For each seed: a static network is trained on Fashion-MNIST; then it is trained on, as it is and converted, with the
same settings, images and order. Run: python benchmarks/fine_tuning.py --out runs/fine-tuning; stopped, it goes on.
With --held-out nothing of the test set is looked at: the last training images are put in its place. Settings are
chosen that way.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev

import torch
from torch import nn

from dynaconv.atomic import write_json
from dynaconv.data import ImageData, load_data
from dynaconv.data.images import TensorImages, in_memory
from dynaconv.train import TrainConfig, fit
from dynaconv.train.networks import build_network

__all__ = ["main"]

STATIC = TrainConfig(
    data="fashion-mnist",
    augment="none",
    model="kernel_weighted_cnn",
    conv="static",
    width=0.125,
    epochs=2,
    batch_size=64,
    optimizer="adamw",
    lr=4e-3,
    weight_decay=1e-4,
    decay="weights",
    schedule="cosine",
    warmup_steps=200,
    eval_every=2,
    checkpoint_every=100,
    devices=1,
    accelerator="cpu",
)
# All images are seen four times in all: neither network gets to learn them by heart.
TUNING = STATIC.but(lr=2e-3)


def chosen_images(data: ImageData, count: int, held_out: int) -> ImageData:
    """The data set, or its first images alone, tested on others of the training images; it comes shuffled."""
    train, test = data.train, data.test
    assert isinstance(train, TensorImages)
    assert isinstance(test, TensorImages)
    kept = len(train) - held_out
    if held_out:
        test = TensorImages(train.images[kept:], train.labels[kept:])
    train = TensorImages(train.images[:kept][:count], train.labels[:kept][:count])
    return in_memory(data.name, train, test, data.classes)


@torch.no_grad()
def accuracy(model: nn.Module, data: ImageData) -> float:
    """On the clean images of the test."""
    test = data.test
    assert isinstance(test, TensorImages)
    shift, scale = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (data.mean, data.std))
    model.eval()
    pairs = zip(test.images.split(250), test.labels.split(250), strict=True)
    hits = sum(int((model((x / 255 - shift) / scale).argmax(1) == labels).sum()) for x, labels in pairs)
    return hits / len(test.images)


def run_seed(seed: int, out: Path, data: ImageData, methods: list[str]) -> dict[str, float]:
    """All accuracies of one seed, by stage."""
    static = STATIC.but(seed=seed, out=str(out / f"static-{seed}"))
    found = {"static": fit(static, data=data, resume=True, show_progress=False).clean_accuracy}
    weights = str(out / f"static-{seed}" / "model.safetensors")
    for method in [None, *methods]:
        name = method or "static"
        config = TUNING.but(seed=seed, weights=weights, convert=method, out=str(out / f"tuned-{name}-{seed}"))
        torch.manual_seed(seed)
        found[f"{name} at step 0"] = accuracy(build_network(config, data), data)
        found[f"{name} tuned"] = fit(config, data=data, resume=True, show_progress=False).clean_accuracy
    return found


def main() -> None:
    """Runs what is left to run, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/fine-tuning"))
    parser.add_argument("--data-root", default=None)
    parser.add_argument("--images", type=int, default=60_000, help="train on so many [%(default)s]")
    parser.add_argument("--held-out", type=int, default=0, help="test on so many of the training images instead")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=["dyconv"])
    given = parser.parse_args()
    data = chosen_images(load_data("fashion-mnist", root=given.data_root), given.images, given.held_out)
    found = {seed: run_seed(seed, given.out, data, given.methods) for seed in given.seeds}
    write_json(given.out / f"results-{'-'.join(map(str, given.seeds))}.json", found)
    for stage in found[given.seeds[0]]:
        numbers = [100 * found[seed][stage] for seed in given.seeds]
        spread = stdev(numbers) if len(numbers) > 1 else 0.0
        print(f"{stage:24} {mean(numbers):6.2f} ± {spread:.2f} %   {json.dumps([round(n, 2) for n in numbers])}")


if __name__ == "__main__":
    main()
