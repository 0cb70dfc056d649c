"""How near static convolutions and the fused kernels come to what the machine can do, layer by layer.

    python benchmarks/roofline.py --network resnet18 --batch 32 --size 128

The machine's peak is the speed of a large matrix product or of a large 3×3 convolution in float32, whichever is faster:
libraries differ in the instructions that they use. Its bandwidth is that of a large copy. Both are measured first.

A pass can take no less time than its arithmetic takes at the peak, and no less than reading every input and writing
every result once takes at the bandwidth: that is the roof. Shares are of the peak and count the convolution's own
arithmetic alone, so that static and dynamic can be compared: mixing the experts is work beside it, which the dynamic
roof allows for. A `*` marks a roof that memory sets. Forward passes find the bank packed; a training step is forward,
input gradient and bank gradient after a weight update. Options as in native_layers.py, which times the layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from native_layers import NETWORKS, Layer, contest, measure, parse, title
from torch.nn import functional as F

from dynaconv import native

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Machine:
    """What the machine can do: multiply-adds and bytes per second."""

    peak: float
    bandwidth: float


@dataclass(frozen=True)
class Work:
    """What a pass has to do.

    Attributes:
        convolving: multiply-adds of the convolution itself.
        mixing: multiply-adds of mixing the experts and of its gradients.
        traffic: bytes of all inputs and results, each counted once.
    """

    convolving: float
    mixing: float
    traffic: float

    def roofline(self, machine: Machine) -> tuple[float, bool]:
        """The largest share of the peak that the convolution can have, and whether memory is what limits it."""
        compute, memory = (self.convolving + self.mixing) / machine.peak, self.traffic / machine.bandwidth
        return self.convolving / machine.peak / max(compute, memory), memory > compute

    def share(self, machine: Machine, milliseconds: float) -> float:
        """The share of the peak that a pass of this duration has."""
        return self.convolving / machine.peak / milliseconds * 1e3


def measured_machine(cpu_time: bool, side: int = 2048, numbers: int = 2**26) -> Machine:
    """The peak by a product and by a convolution, the bandwidth by copying so many floats; the fastest runs count."""
    a, b, c = (torch.randn(side, side) for _ in range(3))
    channels = side // 8
    x = torch.randn(8, channels, 56, 56).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3)
    source, target = torch.ones(numbers), torch.zeros(numbers)
    runs: dict[str, Callable[[], object]] = {
        "product": lambda: torch.mm(a, b, out=c),
        "convolution": lambda: F.conv2d(x, weight),
        "copy": lambda: target.copy_(source),
    }
    times = [measure(runs, {}, 1, cpu_time) for _ in range(7)]
    product, convolution, copy = (min(t[name] for t in times) * 1e-3 for name in runs)
    peak = max(side**3 / product, 8 * 54**2 * weight.numel() / convolution)
    return Machine(peak, 2 * FLOAT_BYTES * numbers / copy)


def work_of(layer: Layer, batch: int, experts: int, size: int) -> tuple[Work, Work]:
    """A layer's forward pass and its training step; a static one has no experts to mix: `experts` is 0."""
    side = size // layer.shrink
    out_side = (side - 1) // layer.stride + 1
    weights = layer.outputs * (layer.inputs // layer.groups) * layer.kernel**2
    bank = max(1, experts) * weights
    convolving, mixing = batch * out_side**2 * weights, experts * batch * weights
    x, y = batch * layer.inputs * side**2, batch * layer.outputs * out_side**2
    forward = Work(convolving, mixing, FLOAT_BYTES * (x + y + bank))
    # Backward: both gradients read their map and the bank; the bank gradient is written. Mixing is done again for the
    # input gradient; the bank's gradient and the coefficients' take two multiply-adds for every mixed weight.
    traffic = 3 * (x + y) + (4 if experts else 3) * bank
    return forward, Work(3 * convolving, 4 * mixing, FLOAT_BYTES * traffic)


def main() -> None:
    """Print the table."""
    options = parse(__doc__)
    machine = measured_machine(options.cpu_time)
    print(f"native: {native.status()}, {torch.get_num_threads()} threads, torch {torch.__version__}, {options}")
    print(f"peak {2e-9 * machine.peak:.0f} GFLOP/s, bandwidth {1e-9 * machine.bandwidth:.1f} GB/s")
    heads = ("static", "roof", "native", "roof")
    columns = " ".join(f"{head:>7}" for head in heads)
    print(f"{'share of the peak':34} {'forward':^31} | {'training step':^31}")
    print(f"{'layer':34} {columns} | {columns}")
    for layer in NETWORKS[options.network]:
        times = contest(layer, options)
        static = work_of(layer, options.batch, 0, options.size)
        dynamic = work_of(layer, options.batch, options.experts, options.size)
        passes = []
        for number in range(2):
            cells = []
            for work, milliseconds in ((static[number], times[2 * number]), (dynamic[number], times[2 * number + 1])):
                bound, by_memory = work.roofline(machine)
                cells += [f"{work.share(machine, milliseconds):7.0%}", f"{bound:6.0%}{'*' if by_memory else ' '}"]
            passes.append(" ".join(cells))
        print(f"{title(layer, options.size):34} {' | '.join(passes)}", flush=True)


if __name__ == "__main__":
    main()
