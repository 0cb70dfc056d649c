"""Times the fused kernels layer by layer against PyTorch's static convolution, interleaved in one process.

    python benchmarks/native_layers.py --network resnet18 --batch 32 --size 128

A layer is reported only after its values have been compared with one plain convolution per sample. The static twin runs
in both memory layouts and the faster one counts. A training step is forward, input gradient and bank gradient after a
weight update, so it packs the bank anew; mixture, tap, input and output scales are all present. On a machine that
others use too, --cpu-time gives steadier ratios: one thread, its processor time, the shortest of all repeats.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from dynaconv import native
from dynaconv.spec import ConvSpec


@dataclass(frozen=True)
class Layer:
    """One convolution of a network: maps are in parts of the network's input size."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    shrink: int  # the network's input size divided by the layer's
    count: int = 1  # times it occurs
    depthwise: bool = False

    @property
    def groups(self) -> int:
        """Groups of the convolution."""
        return self.inputs if self.depthwise else 1


NETWORKS = {
    "resnet18": [
        Layer(64, 64, 3, 1, 4, 4),
        Layer(64, 128, 3, 2, 4),
        Layer(128, 128, 3, 1, 8, 3),
        Layer(128, 256, 3, 2, 8),
        Layer(256, 256, 3, 1, 16, 3),
        Layer(256, 512, 3, 2, 16),
        Layer(512, 512, 3, 1, 32, 3),
        Layer(64, 128, 1, 2, 4),
        Layer(128, 256, 1, 2, 8),
        Layer(256, 512, 1, 2, 16),
    ],
    "resnet50": [
        Layer(64, 64, 1, 1, 4),
        Layer(256, 64, 1, 1, 4, 2),
        Layer(64, 64, 3, 1, 4, 3),
        Layer(64, 256, 1, 1, 4, 4),
        Layer(256, 128, 1, 1, 4),
        Layer(128, 128, 3, 2, 4),
        Layer(256, 512, 1, 2, 4),
        Layer(128, 512, 1, 1, 8, 4),
        Layer(512, 128, 1, 1, 8, 3),
        Layer(128, 128, 3, 1, 8, 3),
        Layer(512, 256, 1, 1, 8),
        Layer(256, 256, 3, 2, 8),
        Layer(512, 1024, 1, 2, 8),
        Layer(256, 1024, 1, 1, 16, 6),
        Layer(1024, 256, 1, 1, 16, 5),
        Layer(256, 256, 3, 1, 16, 5),
        Layer(1024, 512, 1, 1, 16),
        Layer(512, 512, 3, 2, 16),
        Layer(1024, 2048, 1, 2, 16),
        Layer(512, 2048, 1, 1, 32, 3),
        Layer(2048, 512, 1, 1, 32, 2),
        Layer(512, 512, 3, 1, 32, 2),
    ],
    "mobilenetv2": [
        Layer(32, 32, 3, 1, 2, depthwise=True),
        Layer(16, 96, 1, 1, 2),
        Layer(96, 96, 3, 2, 2, depthwise=True),
        Layer(24, 144, 1, 1, 4, 2),
        Layer(144, 24, 1, 1, 4),
        Layer(144, 144, 3, 1, 4, depthwise=True),
        Layer(32, 192, 1, 1, 8, 3),
        Layer(192, 192, 3, 1, 8, 2, depthwise=True),
        Layer(64, 384, 1, 1, 16, 4),
        Layer(384, 384, 3, 1, 16, 4, depthwise=True),
        Layer(384, 64, 1, 1, 16, 3),
        Layer(160, 960, 1, 1, 32, 3),
        Layer(960, 960, 3, 1, 32, 3, depthwise=True),
        Layer(960, 160, 1, 1, 32, 2),
        Layer(320, 1280, 1, 1, 32),
    ],
}


class Contest:
    """One layer's tensors, and the calls that are timed."""

    def __init__(self, layer: Layer, batch: int, experts: int, size: int) -> None:
        side = size // layer.shrink
        padding = layer.kernel // 2
        self.spec = ConvSpec.parse(
            layer.inputs,
            layer.outputs,
            layer.kernel,
            dims=2,
            stride=layer.stride,
            padding=padding,
            groups=layer.groups,
        )
        self.options = {"stride": layer.stride, "padding": padding, "groups": layer.groups}
        self.x = torch.randn(batch, layer.inputs, side, side).contiguous(memory_format=torch.channels_last)
        self.bank = torch.randn(experts, *self.spec.weight_shape) / self.spec.taps
        self.coefficients = torch.rand(batch, experts, self.spec.taps)
        self.scales = {"in_scale": torch.rand(batch, layer.inputs), "out_scale": torch.rand(batch, layer.outputs)}
        self.y_gradient = torch.randn_like(self.forward())
        self.static = {
            layout: tuple(
                tensor.contiguous(memory_format=layout).requires_grad_()
                for tensor in (self.x.clone(), self.bank[0].clone())
            )
            for layout in (torch.channels_last, torch.contiguous_format)
        }

    def forward(self) -> Tensor:
        """The fused forward pass."""
        return native.forward(self.x, self.bank, self.coefficients, self.spec, **self.scales)

    def backward(self) -> tuple[Tensor, Tensor]:
        """The fused gradients of input and bank."""
        given = (self.y_gradient, self.x, self.bank, self.coefficients, self.spec)
        x_gradient, _ = native.input_gradient(*given, **self.scales)
        return x_gradient, native.bank_gradient(*given, **self.scales)[0]

    def step(self) -> None:
        """Forward and gradients, fused."""
        self.forward()
        self.backward()

    def static_forward(self, layout: torch.memory_format) -> None:
        """The static twin's forward pass."""
        x, weight = self.static[layout]
        with torch.no_grad():
            F.conv2d(x, weight, **self.options)

    def static_step(self, layout: torch.memory_format) -> None:
        """The static twin's forward pass and gradients."""
        x, weight = self.static[layout]
        gradient = self.y_gradient.contiguous(memory_format=layout)
        F.conv2d(x, weight, **self.options).backward(gradient)
        x.grad = weight.grad = None

    def check(self) -> None:
        """Compare a few samples with the definition.

        Raises:
            AssertionError: they differ by more than rounding.
        """
        y = self.forward()
        for b in range(min(3, len(y))):
            taps = self.coefficients[b].view(-1, 1, 1, *self.spec.kernel_size).double()
            kernel = (taps * self.bank.double()).sum(0)
            x = self.x[b : b + 1].double() * self.scales["in_scale"][b].view(1, -1, 1, 1)
            expected = F.conv2d(x, kernel, **self.options)[0] * self.scales["out_scale"][b].view(-1, 1, 1)
            torch.testing.assert_close(y[b].double(), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def measure(
    calls: dict[str, Callable[[], object]], before: dict[str, Callable[[], object]], repeats: int, cpu_time: bool
) -> dict[str, float]:
    """Milliseconds of each call, taken in turns; `before` runs untimed ahead of its call."""
    clock, of_all = (time.thread_time, min) if cpu_time else (time.perf_counter, statistics.median)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 2):
        for name, call in calls.items():
            before.get(name, lambda: None)()
            start = clock()
            call()
            if turn >= 2:
                times[name].append(1e3 * (clock() - start))
    return {name: of_all(values) for name, values in times.items()}


def contest(layer: Layer, options: argparse.Namespace) -> tuple[float, float, float, float]:
    """Milliseconds: static forward, fused forward, static step, fused step."""
    run = Contest(layer, options.batch, options.experts, options.size)
    run.check()
    last, first = torch.channels_last, torch.contiguous_format
    calls: dict[str, Callable[[], object]] = {
        "forward last": lambda: run.static_forward(last),
        "forward first": lambda: run.static_forward(first),
        "forward": run.forward,
        "step last": lambda: run.static_step(last),
        "step first": lambda: run.static_step(first),
        "step": run.step,
    }
    # A weight update makes the packed bank stale; the warm forward pass comes after it has been packed again.
    before = {"step": lambda: run.bank.mul_(1.0), "forward": run.forward}
    times = measure(calls, before, options.repeats, options.cpu_time)
    static = min(times["forward last"], times["forward first"])
    static_step = min(times["step last"], times["step first"])
    return static, times["forward"], static_step, times["step"]


def parse(description: str | None) -> argparse.Namespace:
    """The options of the command line, once the number of threads follows them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(NETWORKS), default="resnet18")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--experts", type=int, default=4)
    parser.add_argument("--size", type=int, default=128, help="the images' side (default: 128)")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--cpu-time", action="store_true")
    options = parser.parse_args()
    if options.cpu_time:
        torch.set_num_threads(1)
    return options


def title(layer: Layer, size: int) -> str:
    """A layer, how often it occurs and on which map."""
    kernel = f"{layer.kernel}x{layer.kernel}/{layer.stride}"
    place = f"at {size // layer.shrink}{' depthwise' * layer.depthwise}"
    return f"{layer.count} x {layer.inputs}>{layer.outputs} {kernel} {place}"


def main() -> None:
    """Print the table and the network's totals."""
    options = parse(__doc__)
    print(f"native: {native.status()}, {torch.get_num_threads()} threads, torch {torch.__version__}, {options}")
    print(f"{'layer':34} {'static':>8} {'fused':>8} {'ratio':>6} | {'step':>8} {'fused':>8} {'ratio':>6}   ms")
    totals = [0.0] * 4
    for layer in NETWORKS[options.network]:
        times = contest(layer, options)
        totals = [total + layer.count * value for total, value in zip(totals, times, strict=True)]
        print(row(title(layer, options.size), times))
    print(row("all layers", totals))


def row(name: str, times: tuple[float, ...] | list[float]) -> str:
    """One line of the table."""
    static, fused, step, fused_step = times
    return (
        f"{name:34} {static:8.2f} {fused:8.2f} {fused / static:6.2f} |"
        f" {step:8.2f} {fused_step:8.2f} {fused_step / step:6.2f}"
    )


if __name__ == "__main__":
    main()
