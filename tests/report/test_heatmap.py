from __future__ import annotations

import torch

from dynaconv.analysis import LayerTurn, Turning
from dynaconv.report.heatmap import heat_rows


def turning(*layers: LayerTurn) -> Turning:
    count = len(layers[0].kernel_change)
    return Turning(tuple(map(float, range(count))), torch.zeros(count, 1, 2, 2), torch.zeros(count), layers)


def layer(name: str, gates: torch.Tensor) -> LayerTurn:
    return LayerTurn(name, {"gate": gates}, torch.zeros(len(gates)))


def test_rows_are_differences_from_the_mean_relative_to_the_layers_largest() -> None:
    gates = torch.tensor([[1.0, 10.0], [3.0, 10.0], [2.0, 11.5]])
    rows = heat_rows(turning(layer("a", gates)))
    assert rows.names == ("gate[0]", "gate[1]")  # ordered by the angle of the peak
    torch.testing.assert_close(rows.values, torch.tensor([[-1.0, 1.0, 0.0], [-0.5, -0.5, 1.0]]))


def test_layers_are_separated_and_labelled_at_their_middle() -> None:
    rows = heat_rows(turning(layer("a", torch.rand(5, 3)), layer("b", torch.rand(5, 2))))
    assert rows.layers == (("a", 1.0), ("b", 4.5))
    assert rows.names[3] == ""
    assert bool(rows.values[3].isnan().all())
    assert rows.values.shape == (6, 5)


def test_only_the_coefficients_that_move_most_are_shown() -> None:
    gates = torch.rand(7, 500) * 1e-3
    gates[3, 123] = 5.0
    rows = heat_rows(turning(layer("a", gates)))
    assert len(rows.names) == 48
    assert "gate[123]" in rows.names


def test_a_layer_that_ignores_the_turning_is_zero_everywhere() -> None:
    rows = heat_rows(turning(layer("a", torch.ones(4, 3))))
    assert torch.equal(rows.values, torch.zeros(3, 4))
