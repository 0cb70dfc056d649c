"""Whole networks as ONNX: equal in onnxruntime in three batch sizes and two image sizes, which exporting checks."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch
from support.exported import BATCHES, noise, share
from torch import nn

import dynaconv
from dynaconv.bench.networks import settle
from dynaconv.export import export_onnx
from dynaconv.layers import list_convs

SIZE = (64, 64)
# Rounding adds up over the layers.
TOLERANCE = 1e-4
METHODS = [name for name in list_convs() if name not in ("static", "causal", "odconv")]


def network(name: str, conv: str | None = None) -> nn.Module:
    """With fresh weights: statistics of a few images of noise would make branches of attention steep."""
    torch.manual_seed(0)
    return dynaconv.create_model(name, conv=conv, num_classes=10).eval()


def assert_equal(model: nn.Module, path: Path) -> None:
    file = export_onnx(model, path, torch.randn(1, 3, *SIZE), batches=BATCHES, tolerance=TOLERANCE)
    assert [check.shape[0] for check in file.checks] == [*BATCHES, *BATCHES]
    assert len({check.shape[2:] for check in file.checks}) == 2
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    x = noise((2, 3, 96, 64))
    (given,) = session.run(None, {"input": x.numpy()})
    with torch.no_grad():
        assert share(torch.from_numpy(given), model(x)) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["odconv4x_resnet18", "odconv4x_mobilenetv2_050"])
def test_odconv(name: str, tmp_path: Path) -> None:
    assert_equal(network(name), tmp_path / "model.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_resnet18_with_every_method(method: str, tmp_path: Path) -> None:
    model = network("resnet18", method)
    if method == "dot_product":
        # Its signal grows to 1e17 without normalisation, where float32 and float64 agree in no digit.
        settle(model, torch.randn(16, 3, *SIZE))
    assert_equal(model.eval(), tmp_path / "model.onnx")


def test_a_small_residual_network_dynamic_frozen_and_folded(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = dynaconv.create_model("resnet10t", conv="odconv", num_classes=5).eval()
    static = dynaconv.fold_batchnorm(dynaconv.freeze(model, torch.randn(2, 3, 32, 32)))
    dynamic, frozen = (
        export_onnx(found, tmp_path / "model.onnx", torch.randn(1, 3, 32, 32), batches=(1, 3))
        for found in (dynaconv.fold_batchnorm(model), static)
    )
    assert dynamic.metadata["methods"] == '["odconv"]'
    assert frozen.metadata["methods"] == "[]"
    assert frozen.size < dynamic.size
