"""Peak memory of a training step, each form in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

import torch

from dynaconv.bench.networks import NetworkCase
from dynaconv.errors import DynaconvError

__all__ = ["MeasurementError", "peak_of_step"]


class MeasurementError(DynaconvError):
    """A measurement could not be taken."""


def peak_of_step(case: NetworkCase, form: str, steps: int = 2) -> int:
    """Bytes that a training step adds to a process: peak resident memory less what was resident before the model.

    A fresh process imports everything, runs a small convolution so that the convolution library is set up, notes its
    resident memory, then builds the model (so parameters and gradients count) and trains; the peak is the system's own
    record. In one process the forms would hide each other's peaks.

    Args:
        case: the network.
        form: which form of it.
        steps: training steps; the second one has the gradients of the first in memory while it starts.

    Raises:
        MeasurementError: the process ended without a figure.
    """
    words = [json.dumps(asdict(case)), form, str(steps), str(torch.get_num_threads())]
    done = subprocess.run(
        [sys.executable, "-m", "dynaconv.bench.step_probe", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DYNACONV_AUTOTUNE": "0"},
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise MeasurementError(f"peak memory of {case.name}, {form}: {last[0]}")
    return int(done.stdout.split()[-1])
