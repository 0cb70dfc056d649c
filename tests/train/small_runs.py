"""A tiny network and data set, and runs on them in processes of their own that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from torch import Tensor, nn

from dynaconv.data import ImageData
from dynaconv.data.images import TensorImages, in_memory
from dynaconv.train import TrainConfig, fit
from dynaconv.train.weights import load_weights

__all__ = ["build_model", "final_weights", "images", "small_config", "start", "wait_for"]

# The server imports once; each run is forked from it and starts at once.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["dynaconv.train.loop", "kornia.geometry.transform", "torch.utils.tensorboard"])


def images(count: int = 40, classes: int = 3) -> ImageData:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=generator)
    labels = torch.arange(count) % classes
    half = count // 4
    names = tuple(f"class {i}" for i in range(classes))
    return in_memory("noise", TensorImages(pixels, labels), TensorImages(pixels[:half], labels[:half]), names)


def build_model(classes: int = 3) -> nn.Module:
    """Has what a resume could lose: running statistics, and dropout."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(4, classes),
    )


def small_config(out: Path, **changes: object) -> TrainConfig:
    settings = {"epochs": 3, "batch_size": 4, "lr": 0.01, "checkpoint_every": 3, "eval_batch_size": 5}
    return TrainConfig(out=str(out), **{**settings, **changes})  # type: ignore[arg-type]


class SlowModel(nn.Module):
    """The small model with a pause per training batch, so that a signal finds it at work."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.network = build_model()
        self.seconds = seconds

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            time.sleep(self.seconds)
        return self.network(x)


def _slow_flush(handle: int) -> None:
    time.sleep(0.05)


def _run(config: TrainConfig, seconds: float) -> None:
    torch.set_num_threads(1)
    if seconds:
        os.fsync = _slow_flush  # half of the run's time is spent with a checkpoint half written
    fit(config, model=SlowModel(seconds), data=images(), resume=True, show_progress=False)


def start(config: TrainConfig, seconds: float = 0.0) -> BaseProcess:
    """Starts, or resumes, a run in a process of its own; `seconds` slow down each step, and the disk."""
    process = _SERVER.Process(target=_run, args=(config, seconds))
    process.start()
    return process


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited did not happen"
        time.sleep(0.005)


def final_weights(out: Path) -> dict[str, Tensor]:
    return dict(sorted(load_weights(out / "model.safetensors").items()))
