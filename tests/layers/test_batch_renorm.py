"""Batch renormalisation against its paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.layers import BatchRenorm2d


def batch(shift: float = 0.7, spread: float = 1.5) -> torch.Tensor:
    return torch.randn(4, 3, 5, 6, dtype=torch.float64) * spread + shift


def test_training_output_is_the_papers() -> None:
    norm, x = BatchRenorm2d(3, dtype=torch.float64), batch()
    norm.running_mean.copy_(torch.tensor([0.5, -1.0, 0.7]))
    norm.running_std.copy_(torch.tensor([1.0, 2.0, 0.1]))
    norm.samples_seen.fill_(5_000)
    nn.init.uniform_(norm.weight)
    nn.init.uniform_(norm.bias)
    mean, std = norm.running_mean.clone(), norm.running_std.clone()
    y = norm(x)
    for c in range(3):
        mean_b, std_b = x[:, c].mean(), (x[:, c].var(correction=0) + 1e-5).sqrt()
        # After 5,000 samples the limits stand at r_max = 1.5 and d_max = 0.5.
        r = (std_b / std[c]).clamp(1 / 1.5, 1.5)
        d = ((mean_b - mean[c]) / std[c]).clamp(-0.5, 0.5)
        expected = ((x[:, c] - mean_b) / std_b * r + d) * norm.weight[c] + norm.bias[c]
        torch.testing.assert_close(y[:, c], expected)
        torch.testing.assert_close(norm.running_mean[c], mean[c] + 0.01 * (mean_b - mean[c]))
        torch.testing.assert_close(norm.running_std[c], std[c] + 0.01 * (std_b - std[c]))
    assert norm.samples_seen.item() == 5_004


def test_starts_as_batch_normalisation() -> None:
    renorm, norm, x = BatchRenorm2d(3).double(), nn.BatchNorm2d(3).double(), batch()
    torch.testing.assert_close(renorm(x), norm(x))


def test_unclipped_training_equals_evaluation_with_gradients_of_batch_normalisation() -> None:
    norm, x = BatchRenorm2d(3, r_max=100.0, d_max=100.0, growth=1.0, dtype=torch.float64), batch().requires_grad_()
    norm.samples_seen.fill_(1_000)
    mean, std = x.detach().mean((0, 2, 3)), (x.detach().var((0, 2, 3), correction=0) + 1e-5).sqrt()
    norm.running_mean.copy_(mean + 0.3)
    norm.running_std.copy_(std * 1.7)
    expected = (x - norm.running_mean.reshape(-1, 1, 1)) / norm.running_std.reshape(-1, 1, 1)
    y = norm(x)
    torch.testing.assert_close(y, expected)
    # r and d are constants to the gradient: it is batch normalisation's, times r = 1 / 1.7.
    upstream = torch.randn_like(y)
    (ours,) = torch.autograd.grad(y, x, upstream)
    (theirs,) = torch.autograd.grad(nn.BatchNorm2d(3).double()(x), x, upstream)
    torch.testing.assert_close(ours, theirs / 1.7)


def test_limits_stop_at_their_final_values() -> None:
    norm = BatchRenorm2d(1, dtype=torch.float64)
    norm.samples_seen.fill_(10**9)
    norm.running_std.fill_(1e-3)
    norm.running_mean.fill_(-1e3)
    y = norm(torch.tensor([-1.0, 1.0], dtype=torch.float64).reshape(2, 1, 1, 1))
    torch.testing.assert_close(y.flatten(), torch.tensor([-3.0 + 5, 3.0 + 5], dtype=torch.float64), rtol=1e-4, atol=0)


def test_evaluation_changes_nothing() -> None:
    norm = BatchRenorm2d(3).double().eval()
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    norm(batch())
    torch.testing.assert_close(dict(norm.state_dict()), before)


def test_state_is_saved() -> None:
    norm, other = BatchRenorm2d(3).double(), BatchRenorm2d(3).double()
    norm(batch())
    assert set(norm.state_dict()) == {"weight", "bias", "running_mean", "running_std", "samples_seen"}
    other.load_state_dict(norm.state_dict())
    x = batch()
    torch.testing.assert_close(other.eval()(x), norm.eval()(x))


def test_running_statistics_converge() -> None:
    norm = BatchRenorm2d(3, momentum=0.1).double()
    for _ in range(200):
        norm(batch())
    torch.testing.assert_close(norm.running_mean, torch.full((3,), 0.7).double(), rtol=0, atol=0.2)
    torch.testing.assert_close(norm.running_std, torch.full((3,), 1.5).double(), rtol=0, atol=0.2)


def test_one_sample_of_one_pixel_trains() -> None:
    y = BatchRenorm2d(3)(torch.randn(1, 3, 1, 1, requires_grad=True))
    y.sum().backward()
    assert y.isfinite().all()


def test_low_precision_keeps_its_dtype() -> None:
    assert BatchRenorm2d(3).bfloat16()(batch().bfloat16()).dtype == torch.bfloat16


def test_gradcheck() -> None:
    norm, x = BatchRenorm2d(3, momentum=0.0, dtype=torch.float64), batch().requires_grad_()

    def fresh(x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        norm.samples_seen.zero_()
        return norm(x)

    assert torch.autograd.gradcheck(fresh, (x, norm.weight, norm.bias), fast_mode=True)


def test_errors() -> None:
    with pytest.raises(ArgumentError, match=r"r_max=0.5: expected a number >= 1"):
        BatchRenorm2d(3, r_max=0.5)
    with pytest.raises(ArgumentError, match=r"d_max=nan: expected a number >= 0"):
        BatchRenorm2d(3, d_max=float("nan"))
    with pytest.raises(ShapeError, match=r"x=\(4, 2, 5, 6\): expected \(B, 3, H, W\)"):
        BatchRenorm2d(3)(torch.zeros(4, 2, 5, 6))
