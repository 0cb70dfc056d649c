"""Normalisation in attention branches."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dynaconv.coefficients import branch_norm
from dynaconv.errors import ArgumentError


def test_larger_batches_are_normalised_as_by_the_plain_module():
    ours, plain = branch_norm("batch", 5), nn.BatchNorm1d(5)
    plain.load_state_dict(ours.state_dict())
    for shape in [(2, 5), (7, 5), (1, 5, 4), (3, 5, 4)]:
        x = torch.randn(shape)
        torch.testing.assert_close(ours(x), plain(x), rtol=0, atol=0)
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), plain.buffers(), strict=True))


@pytest.mark.parametrize("batch", [0, 1])
def test_one_value_trains_on_running_statistics_and_leaves_them(batch):
    norm = branch_norm("batch", 5)
    norm(torch.randn(8, 5))
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    x = torch.randn(batch, 5, requires_grad=True)
    y = norm(x)
    y.sum().backward()
    assert norm.weight.grad is not None
    assert all(torch.equal(v, before[k]) for k, v in norm.state_dict().items())
    torch.testing.assert_close(y, norm.eval()(x))


def test_maps_of_any_rank():
    assert branch_norm("batch", 3)(torch.randn(2, 3, 4, 5)).shape == (2, 3, 4, 5)


@pytest.mark.parametrize("norm", ["layer", None])
def test_other_norms_do_not_look_at_the_batch(norm):
    module, x = branch_norm(norm, 6), torch.randn(4, 6)
    torch.testing.assert_close(module(x)[:1], module(x[:1]))


def test_an_unknown_name_is_refused():
    with pytest.raises(ArgumentError, match=r"norm='group': expected \"batch\", \"layer\" or None"):
        branch_norm("group", 3)
