"""Compilers and exporters see the compiled kernels as operators whose results have the sizes and layout announced."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dynaconv import ops
from dynaconv.spec import ConvSpec

SPEC = ConvSpec.parse(6, 8, 3, dims=2, padding=1)
LAYOUTS = [torch.contiguous_format, torch.channels_last]


class Both(nn.Module):
    """A mixture, then taps weighted per pixel, both by the compiled kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = nn.Parameter(torch.randn(4, *SPEC.weight_shape))
        self.weight = nn.Parameter(torch.randn(8, 8, 3, 3))

    def forward(self, x: Tensor, mixture: Tensor, taps: Tensor) -> Tensor:
        y = ops.mixture_conv(x, self.bank, mixture, padding=1, algorithm="native")
        return ops.tapwise_conv(y, self.weight, taps, padding=1, algorithm="native")


def inputs(batch: int, layout: torch.memory_format = torch.contiguous_format) -> tuple[Tensor, Tensor, Tensor]:
    x = torch.randn(batch, 6, 9, 8).contiguous(memory_format=layout)
    return x, torch.rand(batch, 4), torch.rand(batch, 2, 9, 9, 8)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("operator", ["mixture_conv", "tapwise_conv"])
def test_results_are_as_announced(operator: str, layout: torch.memory_format) -> None:
    x, mixture, taps = inputs(2, layout)
    tensors: dict[str, list[Any]] = {
        "mixture_conv": [x, torch.randn(4, *SPEC.weight_shape), mixture, None, None, None],
        "tapwise_conv": [x, torch.randn(SPEC.weight_shape), taps],
    }
    given = (*tensors[operator], list(SPEC.numbers), "native")
    forward = getattr(torch.ops.dynaconv, operator).default
    torch.library.opcheck(forward, given)
    assert forward(*given).is_contiguous(memory_format=layout)
    backward = getattr(torch.ops.dynaconv, f"{operator}_gradients").default
    wanted = [tensor is not None for tensor in tensors[operator]]
    torch.library.opcheck(backward, (torch.randn(2, 8, 9, 8), *given, wanted))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_compiled_in_one_graph(layout: torch.memory_format) -> None:
    torch.compiler.reset()
    model, given = Both(), inputs(3, layout)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    expected, found = model(*given), compiled(*given)
    torch.testing.assert_close(found, expected)
    parameters = [*model.parameters()]
    wanted = torch.autograd.grad(expected.sum(), parameters)
    for ours, theirs in zip(torch.autograd.grad(found.sum(), parameters), wanted, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.slow
def test_compiled_to_machine_code() -> None:
    torch.compiler.reset()
    model = Both()
    compiled = torch.compile(model, fullgraph=True)
    for layout in LAYOUTS:
        given = inputs(3, layout)
        torch.testing.assert_close(compiled(*given), model(*given), rtol=1e-4, atol=1e-4)


def test_exported_with_a_free_batch_size() -> None:
    batch = torch.export.Dim("batch", min=2, max=64)
    free = {name: {0: batch} for name in ("x", "mixture", "taps")}
    model = Both()
    exported = torch.export.export(model, inputs(3), dynamic_shapes=free)
    called = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
    assert called == ["dynaconv.mixture_conv.default", "dynaconv.tapwise_conv.default"]
    given = inputs(5)
    torch.testing.assert_close(exported.module()(*given), model(*given))
