"""The same run on two CPU processes (gloo): one result, from the same batches as one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from small_runs import images, small_config
from torch import nn

from dynaconv.train import RunResult, fit
from dynaconv.train.checkpoint_file import read_checkpoint
from dynaconv.train.run_folder import RunFolder


def learn(out: Path, devices: int) -> RunResult:
    """Without batch normalisation and dropout, whose results depend on the number of processes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    strategy = "ddp" if devices > 1 else "auto"
    config = small_config(out, accelerator="cpu", devices=devices, strategy=strategy)
    return fit(config, model=model, data=images(), show_progress=False)


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    alone = learn(tmp_path / "alone", 1)
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path / "shared")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    shared = RunResult.load(tmp_path / "shared")
    assert alone.steps == shared.steps == 30
    for ours, theirs in zip(alone.history, shared.history, strict=True):
        for name in ours.keys() - {"seconds_per_step"}:
            assert abs(ours[name] - theirs[name]) < 1e-4, name
    states = [read_checkpoint(RunFolder(result.out).last)["state_dict"] for result in (alone, shared)]
    assert all((states[0][name] - states[1][name]).abs().max() < 1e-4 for name in states[0])


if __name__ == "__main__":
    learn(Path(sys.argv[1]), 2)
