"""Whole CBAM and BAM networks with the authors' weights give the authors' scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from fixtures.attention_module.make import drawn

import dynaconv
from dynaconv.convert.checkpoints import load_published

NETWORKS = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "attention_module" / "networks.json").read_text("utf-8")
)


@pytest.mark.parametrize("name", NETWORKS)
def test_authors_weights_give_the_authors_scores(name: str) -> None:
    model = dynaconv.create_model(name, num_classes=10)
    load_published(model, drawn(NETWORKS[name]["shapes"]), "Jongchan/attention-module")
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        scores = model.double().eval()(image.double())[0]
    expected = torch.tensor(NETWORKS[name]["scores"], dtype=torch.float64)
    torch.testing.assert_close(scores, expected, rtol=1e-6, atol=1e-6)


def test_cbam_starts_with_spatial_gates_of_one_half() -> None:
    model = dynaconv.create_model("cbam_resnet18", num_classes=10).eval()
    gates = []
    for module in model.modules():
        if isinstance(module, dynaconv.attention.CBAMSpatial):
            module.register_forward_pre_hook(lambda block, args: gates.append(block.gate(args[0])))
    model(torch.randn(1, 3, 64, 64))
    assert len(gates) == 8
    assert all(torch.equal(gate, torch.full_like(gate, 0.5)) for gate in gates)
