"""KernelWarehouse: the equation, the cells as published, sharing, and the start."""

from __future__ import annotations

import copy
import io
from itertools import product
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dynaconv import TemperatureSchedule, create_conv, set_temperature
from dynaconv.convert import share_warehouse
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.kernels import Warehouse
from dynaconv.layers import KernelWarehouseConv2d, KernelWarehouseLinear
from dynaconv.layers.profile import profile
from dynaconv.models.published import PRESETS


def moved(module: nn.Module) -> nn.Module:
    """The module in evaluation mode, with every parameter off its start."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return module.eval()


def image(channels: int = 4, batch: int = 3) -> Tensor:
    return torch.randn(batch, channels, 6, 5, dtype=torch.float64) + torch.randn(batch, channels, 1, 1).double()


def test_the_equation() -> None:
    layer, x = (
        moved(KernelWarehouseConv2d(4, 6, (2, 3), cell_ratio=0.5, temperature=0.25, budget=0.5).double()),
        image(),
    )
    assert isinstance(layer, KernelWarehouseConv2d)
    weight, cells, attention = layer.kernel(x).dense(), layer.warehouse.cells, layer.attention
    context = attention.fc2(torch.relu(attention.norm(attention.fc1(x.mean((2, 3))))))
    scores = context.view(3, 24, len(cells) + 1)
    for b, (row, tap, column, out, into) in product((0, 2), product(range(2), range(1), range(3), (0, 1), (0, 1))):
        block = ((row * 3 + column) * 2 + out) * 2 + into
        z = scores[b, block]
        alpha = 0.75 * z / (sum(abs(n) for n in z) + 1e-3)
        if attention.assignment[block] < len(cells):
            alpha[attention.assignment[block]] += 0.25
        expected = sum(a * e for a, e in zip(alpha, cells, strict=False))
        found = weight[b, 3 * out : 3 * out + 3, 2 * into : 2 * into + 2, row, column]
        torch.testing.assert_close(found, expected[..., 0, tap])


@pytest.mark.parametrize("budget", [1, 2, 4])
def test_at_temperature_one_blocks_are_cells_of_their_own(budget: int) -> None:
    layer, x = moved(KernelWarehouseConv2d(4, 6, 3, budget=budget, temperature=1.0).double()), image()
    assert isinstance(layer, KernelWarehouseConv2d)
    weight = layer.kernel(x).dense()
    assert torch.equal(weight[0], weight[1])
    own = layer.warehouse.cells[::budget, :, :, 0, 0]
    torch.testing.assert_close(weight[0].flatten(2).permute(2, 0, 1), own)


def test_below_one_every_few_blocks_one_has_a_cell_one_place_later_each_time() -> None:
    layer = KernelWarehouseConv2d(6, 2, 1, budget=0.25, cell_ratio=(0.5, 1 / 6), temperature=1.0, bias=False).eval()
    weight = layer.kernel(torch.randn(1, 6, 2, 2)).dense()[0, :, :, 0, 0]
    assert (weight != 0).int().tolist() == [[1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0]]
    assert len(layer.warehouse.cells) == 3


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("kw1x_resnet18", [(56, 64, 64), (47, 128, 128), (47, 256, 256), (27, 512, 512)]),
        ("kw4x_resnet18", [(224, 64, 64), (188, 128, 128), (188, 256, 256), (108, 512, 512)]),
        ("kw1d4x_resnet18", [(56, 32, 32), (47, 64, 64), (47, 128, 128), (27, 256, 256)]),
    ],
)
def test_warehouses_as_published(name: str, cells: list[tuple[int, ...]]) -> None:
    with torch.device("meta"):
        model = PRESETS[name].build(1000, 3)
    found = [tuple(p.shape[:3]) for n, p in model.named_parameters() if n.endswith("warehouse.cells")]
    assert found == cells
    if name == "kw1x_resnet18":
        assert sum(map(prod, found)) == 11_157_504


def shared(**options: Any) -> nn.Sequential:
    model = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(4, 4, 1))
    share_warehouse(model, ["0", "2", "3"], **options)
    return model.double()


def test_shared_cells_are_parameters_and_saved_once() -> None:
    model = moved(shared())
    assert model[0].warehouse is model[2].warehouse is model[3].warehouse
    assert [name for name, _ in model.named_parameters() if "cells" in name] == ["0.warehouse.cells"]
    state = model.state_dict()
    assert [name for name in state if "cells" in name] == ["0.warehouse.cells"]
    assert model[0].warehouse.cells.shape[0] == 18 + 18 + 1
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    other, x = shared().eval(), image()
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(other(x), model(x))


def test_a_missing_warehouse_is_told_once() -> None:
    model, state = shared(), shared().state_dict()
    del state["0.warehouse.cells"]
    found = model.load_state_dict(state, strict=False)
    assert found.missing_keys == ["0.warehouse.cells"]
    assert not found.unexpected_keys


def test_a_copy_shares_among_itself() -> None:
    model, x = moved(shared()), image()
    other = copy.deepcopy(model)
    assert other[0].warehouse is other[3].warehouse is not model[0].warehouse
    with torch.no_grad():
        other[3].warehouse.cells.zero_()
    assert not torch.allclose(other(x), model(x))
    borrower = copy.deepcopy(model[3])
    torch.testing.assert_close(borrower(x), model[3](x))


def test_shared_cells_are_counted_with_the_first_layer() -> None:
    found = profile(shared(), (4, 6, 5))
    assert sum(layer.parameters for layer in found.layers) == found.parameters
    assert found.assembly == 37 * (4 * 8 * 9 * 2 + 16)


def test_all_layers_teach_the_cells() -> None:
    model, x = moved(shared()).train(), image()
    model(x).square().sum().backward()
    together = model[0].warehouse.cells.grad
    assert together is not None
    assert (together.flatten(1).abs().amax(1) > 0).all()


def test_temperature_is_scheduled_from_one_to_zero_and_saved() -> None:
    model, x = moved(shared()), image()
    schedule = TemperatureSchedule(model, steps=4)
    assert not model[0].attention(x.mean((2, 3))).std(0).any()
    for _ in range(4):
        schedule.step()
    assert model[0].attention(x.mean((2, 3))).std(0).all()
    set_temperature(model, 0.5)
    assert float(model.state_dict()["3.attention.temperature.value"]) == 0.5
    with pytest.raises(ArgumentError, match=r"temperature=30.0: expected a number from 0 to 1"):
        set_temperature(model, 30.0)


@pytest.mark.parametrize("budget", [0.25, 0.5, 1, 4])
@pytest.mark.parametrize("groups", [1, 4])
def test_scaled_start_has_a_static_kernels_variance(budget: float, groups: int) -> None:
    made = {
        init: KernelWarehouseConv2d(
            64, 128, 3, groups=groups, budget=budget, cell_ratio=0.25, temperature=1.0, init=init, bias=False
        ).eval()
        for init in ("scaled", "published")
    }
    x = torch.zeros(1, 64, 3, 3)
    found = {init: float(layer.kernel(x).dense().detach().std()) for init, layer in made.items()}
    static = (2 * groups / (128 * 9)) ** 0.5
    assert found["scaled"] == pytest.approx(static, rel=0.1)
    # Their count of output channels grows with the cells: 4 along the input, `budget` of them for every block.
    assert found["published"] == pytest.approx(static / (4 * groups * max(budget, 1)) ** 0.5, rel=0.1)


def test_linear_is_a_convolution_over_positions() -> None:
    layer = moved(KernelWarehouseLinear(8, 6, cell_ratio=0.5).double())
    x = torch.randn(3, 2, 5, 8, dtype=torch.float64)
    expected = layer.conv(x.flatten(1, 2).transpose(1, 2)).transpose(1, 2).unflatten(1, (2, 5))
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer(x[:, 0, 0]), layer(x[:, :1, 0])[:, 0])
    assert layer(x[:0]).shape == (0, 2, 5, 6)
    with pytest.raises(ShapeError, match=r"x=\(3, 7\): expected \(B, \*, 8\)"):
        layer(torch.zeros(3, 7))


def test_share_warehouse_keeps_what_it_replaces() -> None:
    model = nn.Sequential(nn.Conv1d(4, 8, 3, stride=2, padding=1, bias=False), nn.Conv1d(8, 8, 1))
    share_warehouse(model.bfloat16().eval(), ["1", "0"], norm="layer")
    assert model[0].spec.stride == (2,)
    assert model[0].bias is None
    assert model[1].bias is not None
    assert not model[0].training
    assert not model[0].borrows, "places are taken in the model's order"
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 1.5}, "budget=1.5: expected an integer >= 1, or one over an integer"),
        ({"budget": 0}, "budget=0: expected an integer >= 1"),
        ({"budget": float("nan")}, "budget=nan: expected an integer >= 1"),
        ({"cell_ratio": 0.0}, "cell_ratio=0.0: expected a number above 0, up to 1"),
        ({"cell_ratio": (1.0, 2)}, "cell_ratio=2: expected a number above 0, up to 1"),
        ({"init": "zeros"}, 'init=\'zeros\': expected "scaled" or "published"'),
        ({"reduction": 0}, "reduction=0: expected an integer >= 1"),
        ({"basis_ratio": 0}, "basis_ratio=0: expected a number above 0, up to 1"),
        ({"norm": "group"}, 'norm=\'group\': expected "batch", "layer" or None'),
        ({"temperature": 2.0}, "temperature=2.0: expected a number from 0 to 1"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        create_conv("kernel_warehouse", 4, 8, 3, **options)


def test_bad_sharing() -> None:
    warehouse = Warehouse([(8, 4, 3, 3)])
    with pytest.raises(ArgumentError, match=r"budget=2: expected 1.0 beside a warehouse, which has its own"):
        KernelWarehouseConv2d(4, 8, 3, warehouse=warehouse, budget=2)
    with pytest.raises(ShapeError, match=r"shape=\(6, 4, 3, 3\): expected a kernel that can be cut into cells"):
        KernelWarehouseConv2d(4, 6, 3, warehouse=warehouse)
    KernelWarehouseConv2d(4, 8, 3, warehouse=warehouse)
    with pytest.raises(ArgumentError, match=r"warehouse='0 free cells': expected 9: plan it for every layer's shape"):
        KernelWarehouseConv2d(4, 8, 3, warehouse=warehouse)
    with pytest.raises(ArgumentError, match=r"shapes=\[\]: expected at least one"):
        Warehouse([])
    with pytest.raises(
        ArgumentError, match=r"spatial_partition=False: expected True, since the kernels differ in size"
    ):
        Warehouse([(8, 4, 3, 3), (8, 4, 1, 1)], spatial_partition=False)
    with pytest.raises(ArgumentError, match=r"names='1': expected the name of a convolution or linear layer"):
        share_warehouse(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()), ["0", "1"])
