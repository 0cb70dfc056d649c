"""GSoP blocks give what the authors' code gives, loaded as their checkpoints are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.made_up_weights import numbers, recorded
from torch import Tensor, nn

from dynaconv import create_attention, load_published
from dynaconv.errors import CheckpointError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "gsop"
MAPS = {16: (9, 10), 80: (5, 17)}
CLOSE = {"rtol": 1e-9, "atol": 1e-11}


def load(variant: str, planes: int, **changed: Any) -> tuple[nn.Module, dict[str, Tensor]]:
    kept, state = recorded(FIXTURES / f"{variant}_{planes}.safetensors")
    options: dict[str, Any] = {"reduced_channels": 12}
    if variant != "position":
        options["stride"] = 2 if planes == 16 else 1
    if variant != "channel":
        options["as_published"] = True
    block = create_attention(f"gsop_{variant}", 4 * planes, **options | changed).double()
    return load_published(block, state, "ZilinGao/GSoP"), kept


def image(variant: str, planes: int) -> Tensor:
    return 4 * numbers(f"{variant}.x", (2, 4 * planes, *MAPS[planes]))


def thinned(y: Tensor) -> Tensor:
    return y[:, 1 :: y.shape[1] // 2]


@pytest.mark.parametrize("planes", MAPS)
@pytest.mark.parametrize("variant", ["channel", "position", "average", "max", "concat"])
def test_blocks_are_the_authors(variant: str, planes: int) -> None:
    block, kept = load(variant, planes)
    x = image(variant, planes).requires_grad_()
    y = block.eval()(x)
    (gradient,) = torch.autograd.grad(y, x, numbers(f"{variant}.upstream", tuple(y.shape)))
    torch.testing.assert_close(thinned(y), kept["y"], **CLOSE)
    torch.testing.assert_close(thinned(gradient), kept["x_gradient"], **CLOSE)
    torch.testing.assert_close(thinned(block.train()(x)), kept["y_training"], **CLOSE)


@pytest.mark.parametrize("variant", ["position", "average"])
def test_the_correct_form_is_another(variant: str) -> None:
    block, kept = load(variant, 16, as_published=False)
    assert not torch.allclose(thinned(block.eval()(image(variant, 16))), kept["y"], rtol=1e-3)


def test_their_average_is_the_sum() -> None:
    sums, _ = load("average", 16)
    means, _ = load("average", 16, total="mean")
    x = image("average", 16)
    torch.testing.assert_close(sums.eval()(x), 2 * means.eval()(x))


def test_weights_of_another_block_are_refused() -> None:
    _, state = recorded(FIXTURES / "position_16.safetensors")
    block = create_attention("gsop_channel", 64, reduced_channels=12)
    with pytest.raises(CheckpointError, match=r"does not fit GSoPChannel from ZilinGao/GSoP: .*of another shape"):
        load_published(block, state, "ZilinGao/GSoP")
