"""A packed bank is made once per weight update and never stale."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dynaconv import native
from dynaconv.native import packing
from dynaconv.spec import ConvSpec

SPEC = ConvSpec.parse(5, 6, 3, dims=2, padding=1)
X = torch.linspace(-1, 1, 2 * 5 * 7 * 7).view(2, 5, 7, 7)
ONES = torch.ones(2, 1, 9)


class Holder(nn.Module):
    """A bank of one expert as a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = nn.Parameter(torch.randn(1, 6, 5, 3, 3))

    def forward(self) -> Tensor:
        return native.forward(X, self.bank, ONES, SPEC)


def check(holder: Holder) -> None:
    """The kernels see the bank as it is now."""
    with torch.no_grad():
        torch.testing.assert_close(holder(), nn.functional.conv2d(X, holder.bank[0], padding=1), rtol=1e-5, atol=1e-5)


def optimise(holder: Holder) -> None:
    holder.bank.grad = torch.ones_like(holder.bank)
    torch.optim.SGD(holder.parameters(), lr=0.5).step()


def load(holder: Holder) -> None:
    holder.load_state_dict(Holder().state_dict())


def write_data(holder: Holder) -> None:
    holder.bank.data.mul_(-2.0)


def replace_data(holder: Holder) -> None:
    holder.bank.data = torch.randn(1, 6, 5, 3, 3)


def replace_parameter(holder: Holder) -> None:
    holder.bank = nn.Parameter(torch.randn(1, 6, 5, 3, 3))


def convert(holder: Holder) -> None:
    holder.bfloat16().float()


@pytest.mark.parametrize("change", [optimise, load, write_data, replace_data, replace_parameter, convert])
def test_a_changed_bank_is_packed_anew(change: Callable[[Holder], None]) -> None:
    holder = Holder()
    check(holder)
    change(holder)
    check(holder)


def test_a_copy_has_its_own_packed_bank() -> None:
    holder = Holder()
    check(holder)
    other = copy.deepcopy(holder)
    optimise(other)
    check(other)
    check(holder)


def test_an_unchanged_bank_is_kept_from_its_second_use(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = packing._pack
    monkeypatch.setattr(packing, "_pack", lambda *arguments: calls.append(1) or original(*arguments))
    holder = Holder()
    for _ in range(5):
        check(holder)
    assert len(calls) == 1  # the first use reads this small map's bank as it is
    optimise(holder)
    for _ in range(5):
        check(holder)
    assert len(calls) == 2


def test_training_keeps_no_packed_bank() -> None:
    holder = Holder()
    optimiser = torch.optim.SGD(holder.parameters(), lr=0.5)
    for _ in range(3):
        check(holder)
        native.bank_gradient(torch.ones(2, 6, 7, 7), X, holder.bank, ONES, SPEC)
        native.input_gradient(torch.ones(2, 6, 7, 7), X, holder.bank, ONES, SPEC)
        holder.bank.grad = torch.ones_like(holder.bank)
        optimiser.step()
        assert packing._entries[holder.bank].floats is None


def test_a_bank_made_in_inference_mode_is_used() -> None:
    with torch.inference_mode():
        check(Holder())


def test_entries_go_with_their_banks() -> None:
    before = len(packing._entries)
    holder = Holder()
    check(holder)
    assert len(packing._entries) == before + 1
    del holder
    assert len(packing._entries) == before
