"""What every dynamic layer must stand, whatever its method; the table of layers is `support.layers.CASES`."""

from __future__ import annotations

import copy
import io
from math import prod
from typing import Any

import pytest
import torch
from support.layers import CASES, PLAIN, LayerCase
from torch import Tensor, nn

from dynaconv import ops
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.kernels import StaticKernel, TapwiseKernel
from dynaconv.layers import create_conv, list_convs
from dynaconv.ops.static_conv import static_conv

everything = pytest.mark.parametrize("case", CASES, ids=str)
one_of_a_kind = pytest.mark.parametrize("case", PLAIN, ids=str)
with_one_kernel_a_sample = pytest.mark.parametrize("case", [c for c in CASES if not c.tapwise], ids=str)


def test_every_registered_method_is_in_the_table() -> None:
    registered = {name for dims in (1, 2, 3) for name in list_convs(dims)}
    # Convolutions of static kernels: tests of their own.
    static = {"static", "depthwise_separable", "spatially_separable", "causal"}
    assert registered - static == {case.name for case in CASES}


@everything
def test_equals_the_reference(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image()
    torch.testing.assert_close(layer(x), ops.conv(*layer.operands(x), _reference(layer, x)))


def _reference(layer: Any, x: Tensor) -> str:
    return "auto" if isinstance(layer.kernel(x), StaticKernel) else "reference"


@everything
def test_whole_networks_change_their_memory_format(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image()
    if x.dim() != len("BCHW"):  # the format of images
        return
    expected, names = layer(x), list(layer.state_dict())
    changed = nn.Sequential(layer).to(memory_format=torch.channels_last)[0]
    assert list(changed.state_dict()) == names
    torch.testing.assert_close(changed(x.contiguous(memory_format=torch.channels_last)), expected)


@everything
def test_gradients(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), (x, *layer.parameters()), fast_mode=True)


@one_of_a_kind
def test_a_gradient_with_a_graph_is_the_same(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image(2).requires_grad_()
    upstream = torch.randn_like(layer(x))
    leaves = [x, *layer.parameters()]
    expected = torch.autograd.grad(layer(x), leaves, upstream)
    for ours, other in zip(torch.autograd.grad(layer(x), leaves, upstream, create_graph=True), expected, strict=True):
        torch.testing.assert_close(ours, other)


@with_one_kernel_a_sample
def test_constant_coefficients_are_a_static_convolution(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image()
    first = {name: value[:1].expand_as(value) for name, value in layer.coefficients(x).items()}
    kernel = layer.assemble(first)
    bias = kernel.bias() if callable(kernel.bias) else kernel.bias
    shared = bias[0] if bias is not None and bias.dim() == 2 else bias
    expected = static_conv(x, kernel.dense()[0], shared, layer.spec)
    torch.testing.assert_close(ops.conv(x, kernel, layer.spec), expected)


@everything
def test_samples_know_nothing_of_each_other(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image()
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(layer(x[order]), layer(x)[order])
    changed = x.clone()
    changed[1] = case.image(1)[0]
    torch.testing.assert_close(layer(changed)[[0, 2]], layer(x)[[0, 2]])


@everything
def test_the_kernel_depends_on_the_sample(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image()
    _, kernel, spec = layer.operands(x)
    first, second = (kernel.dense(spec.groups) if isinstance(kernel, TapwiseKernel) else kernel.dense())[:2]
    assert not torch.allclose(first, second)


@everything
@pytest.mark.parametrize("batch", [0, 1])
def test_small_batches_train(case: LayerCase, batch: int) -> None:
    layer = case.make().train()
    y = layer(case.image(batch))
    assert y.shape[0] == batch
    assert tuple(y.shape[2:]) == layer.spec.output_size(case.geometry.size)
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())
    assert layer.eval()(case.image(2)).isfinite().all()


@everything
def test_every_parameter_learns(case: LayerCase) -> None:
    layer = case.make().train()
    layer(case.image(4)).square().sum().backward()
    still = [name for name, p in layer.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not still


@one_of_a_kind
def test_every_parameter_learns_at_the_first_step(case: LayerCase) -> None:
    layer = case.fresh().train()
    (layer(case.image(4)) + 1).square().sum().backward()
    still = [name for name, p in layer.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not still


@one_of_a_kind
def test_starts_at_a_static_convolutions_scale(case: LayerCase) -> None:
    g = case.geometry
    static = create_conv("static", g.in_channels, g.out_channels, g.kernel_size, dims=len(g.size), **g.rest).double()
    x = torch.randn_like(case.image(64))
    ratio = float(case.fresh().train()(x).detach().std() / static(x).detach().std())
    assert 0.3 < ratio < 3.0


@one_of_a_kind
def test_copies_and_saved_state(case: LayerCase) -> None:
    layer, x = case.make().train(), case.image()
    layer(x)
    layer.eval()
    torch.testing.assert_close(copy.deepcopy(layer)(x), layer(x))
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = case.make().eval()
    for parameter in other.parameters():
        nn.init.zeros_(parameter)
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(other(x), layer(x))


@one_of_a_kind
def test_memory_formats(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image()
    expected = layer(x)
    for strided in (x.to(memory_format=torch.channels_last), torch.stack([x, x], -1)[..., 0]):
        torch.testing.assert_close(layer(strided), expected)


@one_of_a_kind
def test_float32(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image()
    expected = layer(x)
    y = layer.float()(x.float())
    assert y.dtype == torch.float32
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-4)


@one_of_a_kind
def test_autocast(case: LayerCase) -> None:
    layer, x = case.make().float().train(), case.image(8).float()
    expected = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
        y.float().square().sum().backward()
    assert y.dtype == torch.bfloat16
    error = (y.float() - expected).norm() / expected.norm()
    assert error < 0.3
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in layer.parameters())


@one_of_a_kind
def test_bfloat16(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image()
    expected = layer(x)
    y = layer.bfloat16()(x.bfloat16())
    assert y.dtype == torch.bfloat16
    assert (y.double() - expected).norm() / expected.norm() < 0.1


@one_of_a_kind
def test_compiled_once_for_every_batch_size(case: LayerCase) -> None:
    torch.compiler.reset()
    layer = case.make().float().eval()
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for batch in (13, 7, 9):
            x = case.image(batch).float()
            torch.testing.assert_close(compiled(x), layer(x), rtol=1e-4, atol=1e-4)


@one_of_a_kind
def test_exported_once_for_every_batch_size(case: LayerCase) -> None:
    layer = case.make().float().eval()
    with torch.no_grad():
        free = ({0: torch.export.Dim("batch", min=1, max=64)},)
        program = torch.export.export(layer, (case.image(5).float(),), dynamic_shapes=free).module()
        for batch in (1, 5, 8):
            x = case.image(batch).float()
            torch.testing.assert_close(program(x), layer(x), rtol=1e-4, atol=1e-4)


@one_of_a_kind
def test_func_transforms(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image()
    parameters = dict(layer.named_parameters())

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        y: Tensor = torch.func.functional_call(layer, parameters, (x,))
        return y.square().sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x.unsqueeze(1))
    expected = torch.autograd.grad(loss(parameters, x), [*parameters.values()])
    for name, whole in zip(parameters, expected, strict=True):
        torch.testing.assert_close(per_sample[name].sum(0), whole)


@one_of_a_kind
def test_profiled_multiply_adds_are_the_kernels(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image(1)
    positions = prod(layer.spec.output_size(case.geometry.size))
    assert layer.kernel(x).macs(positions) >= layer.spec.macs(case.geometry.size)


@one_of_a_kind
@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("in_channels", 0, "an integer >= 1"),
        ("stride", -1, "an integer >= 1"),
        ("groups", 3, "a divisor of in_channels="),
        ("padding", "some", '"same", "valid", an integer >= 0'),
        ("padding_mode", "mirror", "one of zeros"),
    ],
)
def test_bad_geometry(case: LayerCase, argument: str, value: Any, allowed: str) -> None:
    with pytest.raises(ArgumentError, match=f"{argument}={value!r}: expected {allowed}"):
        case.make(**{argument: value})


@one_of_a_kind
def test_unknown_option(case: LayerCase) -> None:
    with pytest.raises(ArgumentError, match=f"magic=1: expected (only options that|no options,) '{case.name}' has"):
        case.make(magic=1)


@one_of_a_kind
def test_bad_input(case: LayerCase) -> None:
    layer, x = case.make(), case.image()
    with pytest.raises(ShapeError, match=r"x=.*: expected \(B, "):
        layer(torch.cat([x, x], 1))
    with pytest.raises(ShapeError, match=r"x=.*: expected \(B, "):
        layer(x[0])


@one_of_a_kind
def test_repr_names_the_geometry(case: LayerCase) -> None:
    g = case.geometry
    assert f"{g.in_channels}, {g.out_channels}, kernel_size=" in repr(case.make())
