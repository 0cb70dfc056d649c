"""`dynaconv plan` and `dynaconv convert`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import dynaconv
from dynaconv.cli.main import main
from dynaconv.layers import ODConv2d


def test_plan_prints_every_layer(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "resnet18", "--method", "odconv", "--size", "64", "--option", "num_kernels=1"]) == 0
    text = capsys.readouterr().out
    assert "projects a shortcut" in text
    assert "16 of 20 layers replaced" in text
    assert "multiply-adds" in text


def test_plan_as_json(capsys: pytest.CaptureFixture[str]):
    words = ["plan", "resnet18", "--method", "dcd", "--include", "layer4", "--exclude", "downsample", "--json"]
    assert main([*words, "--option", "norm=None", "--stages", "4", "--kernel-size", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    replaced = [layer["names"] for layer in found["layers"] if layer["action"] == "replace"]
    assert replaced == [[f"layer4.{b}.conv{c}"] for b in (0, 1) for c in (1, 2)]
    assert found["options"] == {"norm": None}


def test_convert_saves_a_model_that_computes_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    static = dynaconv.create_model("cifar_resnet18", num_classes=4).eval()
    dynaconv.save(static, tmp_path / "static.safetensors")
    words = ["convert", str(tmp_path / "static.safetensors"), "--method", "odconv", "--include", "layer1", "--size"]
    assert main([*words, "32", "--option", "num_kernels=2", "--out", str(tmp_path / "dynamic.safetensors")]) == 0
    assert "error" in capsys.readouterr().out
    dynamic = dynaconv.load(tmp_path / "dynamic.safetensors").eval()
    assert sum(isinstance(m, ODConv2d) for m in dynamic.modules()) == 4
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(dynamic(x), static(x), atol=1e-5, rtol=1e-4)


def test_convert_from_a_weight_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    static = dynaconv.create_model("resnet10t", num_classes=3).eval()
    torch.save(static.state_dict(), tmp_path / "static.pth")
    words = ["convert", "resnet10t", "--classes", "3", "--weights", str(tmp_path / "static.pth"), "--attention", "eca"]
    assert main([*words, "--where", "layer4", "--out", str(tmp_path / "eca.safetensors")]) == 0
    assert capsys.readouterr().out == "eca behind layer4\n"
    made = dynaconv.load(tmp_path / "eca.safetensors")
    assert torch.equal(made.conv1[0].weight, static.conv1[0].weight)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan", "resnet18", "--method", "odkonv"], "method='odkonv'"),
        (["plan", "resnet18", "--method", "odconv", "--option", "num_kernels"], "expected NAME=VALUE"),
        (["plan", "resnet18", "--method", "odconv", "--include", "layer9"], "include='layer9'"),
        (["plan", "resnet18", "--method", "odconv", "--size", "0"], "size=0"),
        (["convert", "resnet18", "--out", "x.safetensors"], "method=None"),
        (["convert", "resnet18", "--method", "odconv", "--weights", "a", "--pretrained", "--out", "x"], "one of both"),
        (["convert", "resnet18", "--method", "odconv", "--weights", "missing.pth", "--out", "x"], "no such file"),
    ],
)
def test_errors_are_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
