"""The registry holds the layer shapes that the networks have, and the cases cover what they say."""

from __future__ import annotations

from collections import Counter
from itertools import product

import torch
from torch import nn

from dynaconv.bench.networks import NetworkCase, build, network_cases
from dynaconv.bench.operators import SWEEPS, operator_cases
from dynaconv.bench.plain import grouped_form
from dynaconv.bench.shapes import BATCHES, EXPERTS, SOURCES, layer_shapes
from dynaconv.layers import DynamicConv, Involution2d
from dynaconv.models.backbones import backbone
from dynaconv.models.seeds import SEEDS
from dynaconv.spec import ConvSpec


def test_distinct_shapes_of_each_network() -> None:
    counts = Counter(network for shape in layer_shapes() for network in shape.networks)
    assert counts["resnet18@128"] == counts["resnet18@224"] == 11
    assert counts["resnet50@128"] == counts["resnet50@224"] == 23
    assert counts["mobilenetv2_100@224"] == 30
    assert {n for n in counts if n.endswith("@32")} >= {"cifar_resnet18@32", "kernel_weighted_cnn@32"}


def test_a_known_layer_is_there() -> None:
    last = ConvSpec.parse(512, 512, 3, dims=2, padding=1)
    (at_128,) = (s for s in layer_shapes() if s.spec == last and s.size == (4, 4) and "resnet18@128" in s.networks)
    assert "resnet50@128" in at_128.networks


def test_every_convolution_has_its_shape_in_the_registry() -> None:
    specs = {shape.spec for shape in layer_shapes()}
    for name in {network for network, _ in SOURCES} - set(SEEDS):
        with torch.device("meta"):
            convs = [m for m in backbone(name).modules() if isinstance(m, nn.Conv2d)]
        sizes = {(s.in_channels, s.out_channels, s.kernel_size, s.groups) for s in specs}
        assert {(c.in_channels, c.out_channels, c.kernel_size, c.groups) for c in convs} <= sizes


def test_operator_cases_pair_every_batch_with_every_number_of_experts() -> None:
    cases = operator_cases()
    assert len({case.name for case in cases}) == len(cases)
    mixtures = [c.problem for c in cases if c.problem.operator == "mixture_conv" and not c.sweep]
    assert {(p.batch, p.experts) for p in mixtures} == set(product(BATCHES, EXPERTS))
    per_shape = Counter((p.spec, p.size) for p in mixtures)
    assert set(per_shape.values()) == {4}
    assert len(per_shape) == sum(s.spec.in_channels != 3 for s in layer_shapes())
    assert {c.problem.operator for c in operator_cases(quick=True)} == {"mixture_conv", "dense_conv", "tapwise_conv"}


def test_every_series_has_four_points_and_changes_one_thing() -> None:
    for sweep in SWEEPS:
        series = [case for case in operator_cases() if case.sweep == sweep]
        assert len({case.point for case in series}) == 4
        seen = [(c.problem.batch, c.problem.experts, c.problem.spec.in_channels, c.problem.size) for c in series]
        assert sum(len({values[i] for values in seen}) > 1 for i in range(4)) == 1


def test_forms_share_parameters_and_agree() -> None:
    ours = build(NetworkCase("resnet18", "condconv", 2, 2, 32), "ours")
    grouped = grouped_form(ours)
    assert [id(p) for p in ours.parameters()] == [id(p) for p in grouped.parameters()]
    assert any(isinstance(m, DynamicConv) for m in ours.modules())
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(grouped.eval()(x), ours.eval()(x), rtol=1e-3, atol=1e-4)


def test_involutions_stand_where_a_network_keeps_its_channels() -> None:
    model = build(NetworkCase("resnet18", "involution", 0, 2, 32), "ours")
    assert sum(isinstance(m, Involution2d) for m in model.modules()) == 13
    assert model.eval()(torch.randn(1, 3, 32, 32)).shape == (1, 1000)


def test_network_cases_hold_all_methods_and_the_librarys_networks() -> None:
    cases = network_cases()
    assert len({case.name for case in cases}) == len(cases)
    assert set(
        product(("resnet18", "resnet50", "mobilenetv2_100"), (("odconv", 1), ("odconv", 4), ("condconv", 8)))
    ) <= {(c.network, (c.method, c.experts)) for c in cases}
    assert sum(case.method == "seed" for case in cases) == 3
    by_size = {size: {(c.network, c.method, c.experts) for c in cases if c.size == size} for size in (128, 224)}
    assert {case for case in by_size[128] if "resnet18" in case[0]} - {("resnet18", "odconv", 16)} == by_size[224]
    assert cases[0] in network_cases(quick=True)
