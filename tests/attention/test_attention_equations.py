"""The blocks' equations, their numbers of parameters, and how they start."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dynaconv.attention import EfficientChannelAttention, GlobalContext, NonLocal, create_attention
from dynaconv.attention.map_norm import map_norm

X = torch.randn(2, 6, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("se", {}, lambda c: 2 * c * c // 16 + c // 16 + c),
        ("se", {"bias": False}, lambda c: 2 * c * c // 16),
        ("cbam", {}, lambda c: 2 * c * c // 16 + c // 16 + c + 98 + 2),
        ("cbam_channel", {}, lambda c: 2 * c * c // 16 + c // 16 + c),
        ("cbam_spatial", {}, lambda c: 98 + 2),
        ("global_context", {}, lambda c: 2 * c * c // 16 + c + c // 16 + 2 * c // 16 + c + 1),
        ("non_local", {}, lambda c: 4 * c * (c // 2) + 3 * (c // 2) + c + 2 * c),
        (
            "selective_kernel",
            {},
            lambda c: 2 * (9 * c * c // 32 + 2 * c) + 3 * c * max(c // 16, 32) + 2 * max(c // 16, 32),
        ),
    ],
)
def test_numbers_of_parameters(name: str, options: dict[str, Any], expected: Any) -> None:
    for channels in (64, 256, 1024):
        with torch.device("meta"):
            assert count(create_attention(name, channels, **options)) == expected(channels)


def test_se_and_eca_add_to_resnet50_what_is_published() -> None:
    plain, widths = 25_557_032, [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
    with torch.device("meta"):
        assert plain + sum(count(create_attention("se", c)) for c in widths) == 28_088_024
        assert plain + sum(count(create_attention("se", c, bias=False)) for c in widths) == 28_071_976
        assert sum(count(create_attention("eca", c)) for c in widths) == 13 * 5 + 3 * 7


def test_eca_kernel_sizes() -> None:
    sizes = {1: 1, 8: 3, 64: 3, 128: 5, 256: 5, 512: 5, 1024: 5, 2048: 7}
    assert {c: EfficientChannelAttention(c).conv.kernel_size[0] for c in sizes} == sizes


@pytest.mark.parametrize("name", ["non_local", "global_context"])
def test_starts_as_the_identity(name: str) -> None:
    block = create_attention(name, 6).double()
    assert torch.equal(block(X), X)


def test_global_context_attends() -> None:
    block = GlobalContext(6, reduction=2).double()
    attention = block.attention(X)
    scores = torch.einsum("c,bchw->bhw", block.mask.weight[0, :, 0, 0], X) + block.mask.bias
    torch.testing.assert_close(attention.sum((1, 2)), torch.ones(2).double())
    torch.testing.assert_close(attention, scores.exp() / scores.exp().sum((1, 2), keepdim=True))


def non_local_by_loops(block: NonLocal, x: Tensor, keys_from: Tensor) -> Tensor:
    """`W_z y + x`, position by position, without normalisation."""
    z = x.clone()
    for b in range(x.shape[0]):
        sources = keys_from[b].flatten(1).T
        for i in range(x.shape[2]):
            for j in range(x.shape[3]):
                f = torch.stack([similarity(block, x[b, :, i, j], other) for other in sources])
                share = f / f.sum() if "gaussian" in block.similarity else f / len(sources)
                y = sum(s * one_by_one(block.g, other) for s, other in zip(share, sources, strict=True))
                z[b, :, i, j] += one_by_one(block.out, y)
    return z


def similarity(block: NonLocal, here: Tensor, other: Tensor) -> Tensor:
    if block.similarity == "gaussian":
        return (here @ other).exp()
    theta, phi = one_by_one(block.theta, here), one_by_one(block.phi, other)
    if block.similarity == "embedded_gaussian":
        return (theta @ phi).exp()
    if block.similarity == "dot_product":
        return theta @ phi
    return (block.w.weight[0] @ torch.cat([theta, phi])).relu()


def one_by_one(conv: nn.Conv2d, pixel: Tensor) -> Tensor:
    return conv.weight[:, :, 0, 0] @ pixel + conv.bias


@pytest.mark.parametrize("subsample", [False, True])
@pytest.mark.parametrize("similarity", ["embedded_gaussian", "gaussian", "dot_product", "concatenation"])
def test_non_local_equation(similarity: str, subsample: bool) -> None:
    block = NonLocal(6, similarity=similarity, subsample=subsample, norm=None).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, 0.0, 0.5)
    keys_from = nn.functional.max_pool2d(X, 2) if subsample else X
    torch.testing.assert_close(block(X), non_local_by_loops(block, X, keys_from))


def test_non_local_keeps_no_matrix_of_all_pairs() -> None:
    x, saved = torch.randn(1, 8, 40, 40), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        NonLocal(8)(x.requires_grad_())
    assert max(saved) < (40 * 40) ** 2 / 10


def test_layer_norm_of_maps_is_group_norm_of_one_group() -> None:
    ours, torchs = map_norm("layer", 6).double(), nn.GroupNorm(1, 6).double()
    for parameter, other in zip(ours.parameters(), torchs.parameters(), strict=True):
        nn.init.normal_(parameter)
        other.data.copy_(parameter)
    torch.testing.assert_close(ours(X), torchs(X))


def test_a_gate_of_half_halves_the_map() -> None:
    for name in ("se", "cbam_channel", "cbam_spatial", "eca"):
        block = create_attention(name, 6).double()
        for parameter in block.parameters():
            nn.init.zeros_(parameter)
        torch.testing.assert_close(block(X), X / 2)
