"""The pooling heads: their equations, and everything that a head must stand."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dynaconv
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.ops import covariance_pool, matrix_sqrt, upper_triangle
from dynaconv.pooling import AttentionPool, GeneralizedMeanPool, Pooling, attention_pool, create_pooling, list_poolings

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "average": ("average", {}),
    "max": ("max", {}),
    "generalized_mean": ("generalized_mean", {"power": 2.5}),
    "attention": ("attention", {}),
    "attention, 3 heads": ("attention", {"heads": 3}),
    "covariance": ("covariance", {}),
    "covariance, reduced": ("covariance", {"reduced_channels": 4}),
    "isqrt_cov": ("isqrt_cov", {"reduced_channels": None}),
    "isqrt_cov, reduced": ("isqrt_cov", {"reduced_channels": 4, "iterations": 3}),
    "isqrt_cov, exact": ("isqrt_cov", {"reduced_channels": 4, "iterations": None}),
}
EACH = pytest.mark.parametrize("variant", VARIANTS)


def make(variant: str, channels: int = 6) -> Pooling:
    """A head in float64 whose queries are random: they start at zero, where attention is the average."""
    torch.manual_seed(1)
    name, options = VARIANTS[variant]
    pool = create_pooling(name, channels, **options).double()
    if isinstance(pool, AttentionPool):
        nn.init.normal_(pool.query)
    return pool


def image(batch: int = 3, channels: int = 6, size: tuple[int, int] = (5, 4)) -> Tensor:
    return torch.randn(batch, channels, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_all_heads_are_tested_and_public() -> None:
    assert {name for name, _ in VARIANTS.values()} == set(list_poolings()) == set(dynaconv.list_poolings())
    assert dynaconv.create_pooling("max", 3).out_features == 3


def test_first_order_equations() -> None:
    x = image()
    torch.testing.assert_close(make("average")(x), x.mean((2, 3)))
    torch.testing.assert_close(make("max")(x), x.flatten(2).max(2).values)
    positive = x.abs() + 0.1
    expected = positive.pow(2.5).mean((2, 3)).pow(1 / 2.5)
    torch.testing.assert_close(make("generalized_mean")(positive), expected)


def test_generalized_mean_lies_between_average_and_maximum() -> None:
    x = image().abs() + 0.1
    torch.testing.assert_close(create_pooling("generalized_mean", 6, power=1.0).double()(x), x.mean((2, 3)))
    torch.testing.assert_close(
        create_pooling("generalized_mean", 6, power=400.0).double()(x), x.amax((2, 3)), rtol=0.01, atol=0
    )


def test_power_is_learnt_or_not() -> None:
    assert create_pooling("generalized_mean", 6).power.requires_grad
    assert not create_pooling("generalized_mean", 6, learnt=False).power.requires_grad


def test_attention_equation() -> None:
    pool, x = make("attention, 3 heads"), image()
    assert isinstance(pool, AttentionPool)
    for b, m in ((0, 0), (2, 1), (1, 2)):
        positions = x[b].flatten(1).T
        attention = torch.softmax(positions @ pool.query[m], 0)
        torch.testing.assert_close(pool.attention(x)[b, m].flatten(), attention)
        torch.testing.assert_close(pool(x)[b, 6 * m : 6 * (m + 1)], positions.T @ attention)


def test_attention_starts_as_the_average() -> None:
    x = image()
    torch.testing.assert_close(create_pooling("attention", 6, heads=2).double()(x), x.mean((2, 3)).repeat(1, 2))


def test_given_queries_are_kept_and_not_trained() -> None:
    query, x = torch.randn(2, 6).double(), image()
    pool = create_pooling("attention", 6, heads=2, query=query)
    assert [*pool.parameters()] == []
    torch.testing.assert_close(pool.state_dict()["query"], query)
    torch.testing.assert_close(pool(x), attention_pool(x, query)[0].flatten(1))


def test_every_sample_may_have_its_own_query() -> None:
    query, x = torch.randn(3, 2, 6).double(), image()
    pooled, attention = attention_pool(x, query)
    for b in range(3):
        torch.testing.assert_close(pooled[b : b + 1], attention_pool(x[b : b + 1], query[b])[0])
        torch.testing.assert_close(attention[b : b + 1], attention_pool(x[b : b + 1], query[b])[1])


def test_second_order_equations() -> None:
    x = image()
    torch.testing.assert_close(make("covariance")(x), upper_triangle(covariance_pool(x)))
    torch.testing.assert_close(make("isqrt_cov")(x), upper_triangle(matrix_sqrt(covariance_pool(x), 5)))
    for name, iterations in (("isqrt_cov, reduced", 3), ("isqrt_cov, exact", None)):
        pool = make(name).eval()
        root = matrix_sqrt(covariance_pool(pool.reduce(x)), iterations)
        torch.testing.assert_close(pool(x), upper_triangle(root))


def test_reduction_only_where_there_are_more_channels() -> None:
    assert isinstance(create_pooling("isqrt_cov", 256).reduce, nn.Identity)
    assert sum(p.numel() for p in create_pooling("isqrt_cov", 257).reduce.parameters()) == 256 * 257 + 512


@EACH
def test_gradients(variant: str) -> None:
    pool, x = make(variant).eval(), image(2).abs().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: pool(x), (x, *pool.parameters()), fast_mode=True)


@EACH
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 3), (13, 2)])
def test_any_map_and_few_samples_train(variant: str, size: tuple[int, int]) -> None:
    pool = make(variant).train()
    for batch in (0, 1, 2):
        x = image(batch, size=size).requires_grad_()
        y = pool(x)
        assert y.shape == (batch, pool.out_features)
        y.square().sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in pool.parameters())
    assert all(b.isfinite().all() for b in pool.buffers())


@EACH
def test_one_channel(variant: str) -> None:
    name, options = VARIANTS[variant]
    pool = create_pooling(name, 1, **options)
    assert pool(torch.randn(2, 1, 4, 3)).shape == (2, pool.out_features)


@EACH
def test_batch_laws(variant: str) -> None:
    pool, x = make(variant).eval(), image()
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(pool(x[order]), pool(x)[order])
    changed = x.clone()
    changed[1] *= 1.5
    torch.testing.assert_close(pool(changed)[[0, 2]], pool(x)[[0, 2]])
    assert not torch.allclose(pool(changed)[1], pool(x)[1])


@pytest.mark.parametrize("variant", ["average", "max", "generalized_mean", "isqrt_cov"])
@pytest.mark.parametrize("exponent", [-15, 100])
def test_any_magnitude(variant: str, exponent: int) -> None:
    pool, x = make(variant).float().eval(), image().float().abs() + 1
    torch.testing.assert_close(pool(x * 2.0**exponent) / 2.0**exponent, pool(x))


def test_a_covariance_that_would_vanish_or_overflow_has_its_root() -> None:
    x = torch.randn(2, 4, 5, 5)
    pool = create_pooling("isqrt_cov", 4)
    for exponent in (-100, 100):
        torch.testing.assert_close(pool(x * 2.0**exponent) / 2.0**exponent, pool(x))


@EACH
def test_constant_maps(variant: str) -> None:
    pool, x = make(variant).float(), torch.full((2, 6, 3, 3), 0.75, requires_grad=True)
    y = pool(x)
    y.sum().backward()
    assert y.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@EACH
def test_copies_and_state(variant: str) -> None:
    pool, x = make(variant), image()
    pool.train()(x)
    pool.eval()
    torch.testing.assert_close(copy.deepcopy(pool)(x), pool(x))
    file = io.BytesIO()
    torch.save(pool.state_dict(), file)
    file.seek(0)
    other = make(variant).eval()
    for parameter in other.parameters():
        nn.init.ones_(parameter)
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(other(x), pool(x))


@EACH
def test_channels_last(variant: str) -> None:
    pool, x = make(variant).eval(), image()
    torch.testing.assert_close(pool(x.to(memory_format=torch.channels_last)), pool(x))


@EACH
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_pools_in_float32(variant: str, dtype: torch.dtype) -> None:
    pool, x = make(variant).float().eval(), image().abs().to(dtype)
    expected = pool(x.float())
    with torch.autocast("cpu", torch.bfloat16):
        found = pool(x)
        found.sum().backward() if found.requires_grad else None
    assert found.dtype == torch.float32
    tolerance = 0.1 if "reduced" in variant or "exact" in variant else 1e-6
    torch.testing.assert_close(found.float(), expected, rtol=tolerance, atol=tolerance)


@EACH
def test_short_types(variant: str) -> None:
    pool, x = make(variant).bfloat16().eval(), image().abs().bfloat16()
    found, expected = pool(x), copy.deepcopy(pool).float()(x.float())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1)


@EACH
def test_compile(variant: str) -> None:
    torch._dynamo.reset()  # all heads share one forward pass, and recompilations of one function are counted
    pool, x = make(variant).float().eval(), image().float()
    torch.testing.assert_close(torch.compile(pool, fullgraph=True, backend="aot_eager")(x), pool(x))


@EACH
def test_functional_transforms(variant: str) -> None:
    pool, x = make(variant).eval(), image().abs()

    def loss(sample: Tensor) -> Tensor:
        y: Tensor = pool(sample[None])
        return y.square().sum()

    leaf = x.clone().requires_grad_()
    pool(leaf).square().sum().backward()
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(x), leaf.grad)


@EACH
def test_bad_input(variant: str) -> None:
    for shape in ((3, 5, 7, 6), (6, 7, 6), (2, 6, 0, 3)):
        with pytest.raises(ShapeError, match=rf"x=\({shape[0]}, .*\): expected \(B, 6, H, W\) with H and W at least 1"):
            make(variant)(torch.zeros(shape).double())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("odd", {}, "name='odd': expected one of average, max, generalized_mean, attention"),
        ("average", {"channels": 0}, "channels=0: expected an integer >= 1"),
        ("average", {"heads": 1}, "heads=1: expected no options, 'average' has none"),
        ("attention", {"heads": 0}, "heads=0: expected an integer >= 1"),
        ("attention", {"power": 1.0}, "power=1.0: expected only options that 'attention' has: heads, query"),
        ("attention", {"query": torch.zeros(2, 6)}, r"query=\(2, 6\): expected \(1, 6\), heads × channels"),
        ("generalized_mean", {"power": 0.0}, "power=0.0: expected a finite number > 0"),
        ("generalized_mean", {"eps": float("nan")}, "eps=nan: expected a finite number > 0"),
        ("covariance", {"reduced_channels": 0}, "reduced_channels=0: expected an integer >= 1"),
        ("isqrt_cov", {"iterations": 0}, "iterations=0: expected an integer >= 1"),
    ],
)
def test_bad_arguments(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        create_pooling(name, **{"channels": 6, **options})


def test_bad_query() -> None:
    with pytest.raises(ShapeError, match=r"query=\(2, 5\): expected \(M, 6\) or \(3, M, 6\)"):
        attention_pool(image(), torch.zeros(2, 5))


def test_repr_names_the_sizes() -> None:
    assert "6, out_features=12" in repr(create_pooling("attention", 6, heads=2))
    assert isinstance(create_pooling("generalized_mean", 6), GeneralizedMeanPool)
