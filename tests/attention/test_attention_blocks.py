"""Everything that an attention block must stand, for every block of the registry."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dynaconv
from dynaconv.attention import GateBlock, create_attention, list_attentions
from dynaconv.errors import ArgumentError, ShapeError

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "se": ("se", {"reduction": 4}),
    "se, no bias": ("se", {"reduction": 4, "bias": False}),
    "eca": ("eca", {"kernel_size": 3}),
    "cbam": ("cbam", {"reduction": 4}),
    "cbam, layer": ("cbam", {"reduction": 4, "norm": "layer"}),
    "cbam_channel": ("cbam_channel", {"reduction": 4}),
    "cbam_spatial": ("cbam_spatial", {}),
    "cbam_spatial, 3, no norm": ("cbam_spatial", {"kernel_size": 3, "norm": None}),
    "bam": ("bam", {"reduction": 4}),
    "bam, product": ("bam", {"reduction": 4, "as_published": True}),
    "bam, layer": ("bam", {"reduction": 4, "norm": "layer", "num_dilated": 1, "dilation": 2}),
    "bam, no norm": ("bam", {"reduction": 4, "norm": None}),
    "non_local": ("non_local", {}),
    "non_local, gaussian": ("non_local", {"similarity": "gaussian", "norm": "layer"}),
    "non_local, dot product": ("non_local", {"similarity": "dot_product", "subsample": True}),
    "non_local, concatenation": ("non_local", {"similarity": "concatenation", "norm": None}),
    "global_context": ("global_context", {"reduction": 2}),
    "global_context, scale": ("global_context", {"reduction": 2, "fusion": "scale"}),
    "selective_kernel": ("selective_kernel", {"min_hidden": 4}),
    "gsop_channel": ("gsop_channel", {"reduced_channels": 6}),
    "gsop_channel, strided": ("gsop_channel", {"reduced_channels": 6, "stride": 2, "norm": "layer"}),
    "gsop_position": ("gsop_position", {"reduced_channels": 6, "grid_size": 3}),
    "gsop_position, published": ("gsop_position", {"reduced_channels": 6, "grid_size": 2, "as_published": True}),
    "gsop_average": ("gsop_average", {"reduced_channels": 6, "grid_size": 2}),
    "gsop_max": ("gsop_max", {"reduced_channels": 6, "grid_size": 2, "norm": None}),
    "gsop_concat": ("gsop_concat", {"reduced_channels": 6, "grid_size": 2}),
    "selective_kernel, 3": ("selective_kernel", {"num_branches": 3, "groups": 2, "norm": "layer"}),
}
EACH = pytest.mark.parametrize("variant", VARIANTS)


def make(variant: str, channels: int = 8) -> nn.Module:
    """A block in float64 whose every parameter is random: several start at zero, where nothing would be tested."""
    torch.manual_seed(1)
    name, options = VARIANTS[variant]
    block = create_attention(name, channels, **options).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, 0.1, 0.5)
    return block


def image(batch: int = 3, channels: int = 8, size: tuple[int, int] = (5, 4)) -> Tensor:
    return torch.randn(batch, channels, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_all_blocks_are_tested() -> None:
    assert {name for name, _ in VARIANTS.values()} == set(list_attentions())


def test_blocks_are_public() -> None:
    assert dynaconv.list_attentions() == list_attentions()
    assert isinstance(dynaconv.create_attention("se", 16), dynaconv.attention.SqueezeExcite)


@EACH
def test_gradients(variant: str) -> None:
    block, x = make(variant).eval(), image(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: block(x), (x, *block.parameters()), fast_mode=True)


@EACH
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 3), (13, 2)])
def test_any_map_and_few_samples_train(variant: str, size: tuple[int, int]) -> None:
    block = make(variant).train()
    for batch in (0, 1, 2):
        y = block(image(batch, size=size))
        assert y.shape == (batch, 8, *size)
        y.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in block.parameters())
    assert all(b.isfinite().all() for b in block.buffers())


@EACH
def test_one_channel(variant: str) -> None:
    name, options = VARIANTS[variant]
    block = create_attention(name, 1, **{k: v for k, v in options.items() if k != "groups"})
    assert block(torch.randn(2, 1, 4, 3)).isfinite().all()


@EACH
def test_every_parameter_learns(variant: str) -> None:
    block = make(variant).train()
    block(image()).pow(3).sum().backward()
    without = [name for name, p in block.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not without


@EACH
def test_batch_laws(variant: str) -> None:
    block, x = make(variant).eval(), image()
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(block(x[order]), block(x)[order])
    changed = x.clone()
    changed[1] += 1
    torch.testing.assert_close(block(changed)[[0, 2]], block(x)[[0, 2]])
    assert not torch.allclose(block(changed)[1] - changed[1], block(x)[1] - x[1])


@EACH
def test_copies_and_state(variant: str) -> None:
    block, x = make(variant), image()
    block.train()(x)
    block.eval()
    torch.testing.assert_close(copy.deepcopy(block)(x), block(x))
    file = io.BytesIO()
    torch.save(block.state_dict(), file)
    file.seek(0)
    other = make(variant).eval()
    for parameter in other.parameters():
        nn.init.zeros_(parameter)
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(other(x), block(x))


@EACH
def test_channels_last(variant: str) -> None:
    block, x = make(variant).eval(), image()
    torch.testing.assert_close(block(x.to(memory_format=torch.channels_last)), block(x))


@EACH
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_keeps_the_type(variant: str, dtype: torch.dtype) -> None:
    block, x = make(variant).float().eval(), image().float()
    expected = block(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = block(x.to(dtype))
        found.float().sum().backward()
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1)


@EACH
def test_compile(variant: str) -> None:
    torch._dynamo.reset()  # all blocks share one forward pass, and recompilations of one function are counted
    block, x = make(variant).float().eval(), image().float()
    torch.testing.assert_close(torch.compile(block, fullgraph=True, backend="aot_eager")(x), block(x))


@EACH
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_functional_transforms(variant: str) -> None:
    block, x = make(variant).eval(), image()
    parameters = dict(block.named_parameters())

    def loss(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return torch.func.functional_call(block, parameters, (sample[None],)).square().sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    block(x).square().sum().backward()
    for name, parameter in parameters.items():
        torch.testing.assert_close(per_sample[name].sum(0), parameter.grad)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if isinstance(make(v), GateBlock)])
def test_gates_are_what_the_map_is_multiplied_by(variant: str) -> None:
    block, x = make(variant).eval(), image()
    gate = block.gate(x)
    torch.testing.assert_close(block(x), gate * x)
    low, high = (1, 2) if variant.startswith("bam") else (0, 1)
    assert low < gate.min() < gate.max() < high


@EACH
def test_bad_input(variant: str) -> None:
    block = make(variant)
    for shape in ((3, 5, 7, 6), (8, 7, 6), (2, 8, 0, 3)):
        with pytest.raises(ShapeError, match=rf"x=\({shape[0]}, .*\): expected \(B, 8, H, W\) with H and W at least 1"):
            block(torch.zeros(shape).double())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("odd", {}, "name='odd': expected one of se, eca, cbam"),
        ("se", {"channels": 0}, "channels=0: expected an integer >= 1"),
        ("se", {"reduction": 0}, "reduction=0: expected an integer >= 1"),
        ("se", {"reduction": 2.5}, r"reduction=2\.5: expected an integer >= 1"),
        ("se", {"min_hidden": 0}, "min_hidden=0: expected an integer >= 1"),
        ("se", {"norm": "batch"}, "norm='batch': expected only options that 'se' has: reduction, min_hidden, bias"),
        ("eca", {"kernel_size": 4}, "kernel_size=4: expected an odd integer >= 1, or None"),
        ("cbam_spatial", {"kernel_size": 2}, "kernel_size=2: expected an odd integer >= 1"),
        ("cbam", {"norm": "group"}, 'norm=\'group\': expected "batch", "layer" or None'),
        ("bam", {"dilation": 0}, "dilation=0: expected an integer >= 1"),
        ("bam", {"norm": "group"}, 'norm=\'group\': expected "batch", "layer" or None'),
        ("bam", {"num_dilated": True}, "num_dilated=True: expected an integer >= 1"),
        ("non_local", {"similarity": "cosine"}, "similarity='cosine': expected one of embedded_gaussian, gaussian"),
        ("global_context", {"fusion": "both"}, "fusion='both': expected one of add, scale"),
        ("selective_kernel", {"groups": 3}, "groups=3: expected a divisor of channels=8, or None"),
        ("selective_kernel", {"num_branches": 0}, "num_branches=0: expected an integer >= 1"),
    ],
)
def test_bad_arguments(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        create_attention(name, **{"channels": 8, **options})


@EACH
def test_what_it_gives_may_be_changed_in_place(variant: str) -> None:
    """Residual blocks add the shortcut in place."""
    block, x = make(variant), torch.randn(2, 8, 5, 6, dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad((block(x) + x).square().sum(), x)
    y = block(x)
    y += x
    torch.testing.assert_close(torch.autograd.grad(y.square().sum(), x), expected)
