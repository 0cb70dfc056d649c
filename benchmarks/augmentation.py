"""Time of the viewpoint augmentation as a share of a training step; run: python benchmarks/augmentation.py."""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from dynaconv.data import ViewpointAugmentation

__all__ = ["main"]

CHANNELS = 32
LAYERS = 8
SIDE = 32
CLASSES = 10
GOAL = 0.15


def narrow_network(colours: int) -> nn.Sequential:
    """Eight 3×3 convolutions of 32 channels, two of them halving the map: a static seed network, a quarter wide."""
    layers: list[nn.Module] = []
    for index in range(LAYERS):
        stride = 2 if index in (2, 4) else 1
        inputs = colours if index == 0 else CHANNELS
        layers += [nn.Conv2d(inputs, CHANNELS, 3, stride, 1, bias=False), nn.BatchNorm2d(CHANNELS), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, CLASSES))


def median_seconds(run: Callable[[int], object], repeats: int) -> float:
    """Median time of `run(i)` over `repeats` calls, after five that warm up."""
    times = []
    for index in range(repeats + 5):
        start = time.perf_counter()
        run(index)
        times.append(time.perf_counter() - start)
    return statistics.median(times[5:])


def measure(colours: int, batch: int, repeats: int) -> tuple[float, float]:
    """Seconds of one augmentation and of one training step without it."""
    images = torch.rand(batch, colours, SIDE, SIDE)
    labels = torch.randint(CLASSES, (batch,))
    network = narrow_network(colours)
    optimizer = torch.optim.Adam(network.parameters(), amsgrad=True)
    augmentation = ViewpointAugmentation()

    def step(_: int) -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    augment_seconds = median_seconds(lambda index: augmentation(images, seed=index), repeats)
    return augment_seconds, median_seconds(step, repeats)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128], help="batch sizes (default: 32 128)")
    parser.add_argument("--repeats", type=int, default=50, help="timed calls each (default: 50)")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print("share: augmentation / (augmentation + training step)\n")
    print("| batch | image | augmentation ms | step ms | share | under 15 % |")
    print("|---:|---|---:|---:|---:|---|")
    for batch in arguments.batch:
        for colours in (1, 3):
            augment, step = measure(colours, batch, arguments.repeats)
            share = augment / (augment + step)
            verdict = "yes" if share < GOAL else "no"
            image = f"{colours}×{SIDE}×{SIDE}"
            print(f"| {batch} | {image} | {augment * 1e3:.2f} | {step * 1e3:.2f} | {share:.1%} | {verdict} |")


if __name__ == "__main__":
    main()
