"""A run killed at any moment and resumed ends with the same bits as one left alone."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from small_runs import final_weights, small_config, start, wait_for

from dynaconv.train import RunResult, TrainConfig
from dynaconv.train.checkpoint_file import read_checkpoint
from dynaconv.train.run_folder import RunFolder

VARIANTS = {
    "adam": {"optimizer": "adam", "amsgrad": True, "schedule": "cosine", "warmup_steps": 2},
    "averaged": {"optimizer": "sgd", "nesterov": True, "ema": 0.9, "accumulate": 3, "schedule": "onecycle"},
}


def finish(config: TrainConfig) -> None:
    process = start(config)
    process.join(120)
    assert process.exitcode == 0


def kill_some_time_after_a_checkpoint(config: TrainConfig, seconds: float) -> int:
    """Returns how many batches the newest whole checkpoint has seen."""
    folder = RunFolder(config.out)
    before = _stamp(folder.last)
    process = start(config, seconds=0.01)
    wait_for(lambda: _stamp(folder.last) not in (None, before) or not process.is_alive())
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, "the run ended before it could be killed"
    good = folder.last if folder.last.exists() else folder.previous
    return int(read_checkpoint(good)["dynaconv"]["batches"])


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


@pytest.mark.parametrize("variant", VARIANTS)
def test_killed_runs_end_with_the_same_bits(variant: str, tmp_path: Path) -> None:
    undisturbed = small_config(tmp_path / "undisturbed", epochs=6, **VARIANTS[variant])
    finish(undisturbed)
    killed = undisturbed.but(out=str(tmp_path / "killed"))
    moments = random.Random(variant)
    seen = [kill_some_time_after_a_checkpoint(killed, moments.uniform(0, 0.3)) for _ in range(4)]
    assert seen == sorted(seen)
    assert any(batches % 10 for batches in seen), "no kill came within an epoch"
    finish(killed)
    expected, found = final_weights(Path(undisturbed.out)), final_weights(Path(killed.out))
    assert expected.keys() == found.keys()
    for name in expected:
        assert torch.equal(expected[name], found[name]), name
    assert _numbers(undisturbed) == _numbers(killed)


def _numbers(config: TrainConfig) -> list[dict[str, float]]:
    """The history without its times."""
    return [{k: v for k, v in row.items() if k != "seconds_per_step"} for row in RunResult.load(config.out).history]
