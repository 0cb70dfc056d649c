"""A process that trains one form of a network briefly and tells its peak memory: see `memory.peak_of_step`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from dynaconv.bench.memory import MeasurementError
from dynaconv.bench.networks import NetworkCase, build, images
from dynaconv.bench.step import training_step

__all__ = ["probe"]


def probe(case: NetworkCase, form: str, steps: int) -> int:
    """Bytes that training adds to this process: see `memory.peak_of_step`."""
    torch.nn.functional.conv2d(torch.randn(2, 8, 16, 16), torch.randn(8, 8, 3, 3))
    before = _resident("VmRSS")
    run = training_step(build(case, form), *images(case))
    for _ in range(steps):
        run()
    return _resident("VmHWM") - before


def _resident(field: str) -> int:
    """Bytes, from the system's record of this process: `VmRSS` now, `VmHWM` at most.

    `getrusage` would report the parent's peak too, which a child inherits.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError as error:
        raise MeasurementError("peak memory is read from /proc, which only Linux has") from error
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _main(words: list[str]) -> None:
    case, form, steps, threads = words
    values = json.loads(case)
    torch.set_num_threads(int(threads))
    sys.stdout.write(f"{probe(NetworkCase.from_plain(values), form, int(steps))}\n")


if __name__ == "__main__":
    _main(sys.argv[1:])
