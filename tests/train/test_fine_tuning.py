"""Fine-tuning: what a run starts from, what of it learns and decays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_runs import images
from torch import Tensor, nn

import dynaconv
from dynaconv.cli.main import main
from dynaconv.convert import convert
from dynaconv.errors import ArgumentError, CheckpointError, ConfigError
from dynaconv.train import TrainConfig, evaluate, fit, load_model, run_info
from dynaconv.train.frozen import frozen_norms
from dynaconv.train.networks import build_network
from dynaconv.train.optimizers import make_optimizer
from dynaconv.train.parameter_groups import attention_parameters, parameter_groups

MODEL = {"model": "kernel_weighted_cnn", "conv": "static", "width": 0.1, "accelerator": "cpu", "devices": 1}


def config(**changes: object) -> TrainConfig:
    settings = {**MODEL, "epochs": 1, "batch_size": 8, "augment": "none", "lr": 0.01}
    return TrainConfig(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a static network that was trained."""
    out = tmp_path_factory.mktemp("static")
    fit(config(out=str(out)), data=images(), show_progress=False)
    return out / "model.safetensors"


def scores(model: nn.Module) -> Tensor:
    torch.manual_seed(3)
    with torch.no_grad():
        return model.eval()(torch.randn(4, 1, 20, 20))


def test_a_converted_network_starts_where_the_static_one_ended(static: Path):
    expected = scores(load_model(static.parent, data=images()))
    kept = build_network(config(weights=str(static)), images())
    torch.testing.assert_close(scores(kept), expected)
    for method in ("odconv", "condconv"):
        made = build_network(config(weights=str(static), convert=method), images())
        torch.testing.assert_close(scores(made), expected, atol=1e-4, rtol=1e-4)
        assert attention_parameters(made)


def test_a_tuned_run_is_trained_resumed_and_loaded_without_its_first_weights(tmp_path: Path, static: Path):
    first = tmp_path / "first.safetensors"
    first.write_bytes(static.read_bytes())
    tuned = config(
        weights=str(first), convert="odconv", convert_options={"num_kernels": 2}, out=str(tmp_path / "run"), epochs=2
    )
    result = fit(tuned, data=images(), show_progress=False)
    first.unlink()
    loaded = load_model(tmp_path / "run", data=images())
    assert loaded.conversions[0].options == {"num_kernels": 2}
    assert evaluate(tmp_path / "run", data=images()).clean_accuracy == pytest.approx(result.clean_accuracy)
    info = run_info(tmp_path / "run", licence="mit")
    assert info["accuracy"]["clean"] == result.clean_accuracy
    dynaconv.save(loaded, tmp_path / "saved", info)
    assert torch.equal(scores(dynaconv.load(tmp_path / "saved")), scores(loaded))


def test_only_what_attends_learns(tmp_path: Path, static: Path):
    tuned = config(weights=str(static), convert="odconv", freeze_inherited=True, out=str(tmp_path))
    torch.manual_seed(0)
    before = build_network(tuned, images())
    new = {*attention_parameters(before)}
    assert {name for name, p in before.named_parameters() if p.requires_grad} == new
    assert frozen_norms(before)
    fit(tuned, data=images(), show_progress=False)
    after, inherited = load_model(tmp_path, data=images()).state_dict(), before.state_dict()
    moved = {name for name, value in inherited.items() if not torch.equal(value, after[name])}
    learnt = {name for name in moved if name in dict(before.named_parameters())}
    assert learnt
    assert learnt <= new
    # Frozen normalisations keep their statistics; those inside the attention do not.
    assert all(".attention." in name for name in moved)


def test_a_classifier_of_other_classes_starts_afresh(static: Path, caplog: pytest.LogCaptureFixture):
    model = build_network(config(weights=str(static), convert="odconv", freeze_inherited=True), images(classes=5))
    assert model.classifier.out_features == 5
    assert "for other classes: classifier.weight and classifier.bias start afresh" in caplog.text
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learning == {*attention_parameters(model), "classifier.weight", "classifier.bias"}


def test_weights_of_another_network_are_refused(static: Path, tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"does not fit SequentialCNN: .*of another shape"):
        build_network(config(weights=str(static), width=0.2), images())
    with pytest.raises(CheckpointError, match="no such file"):
        build_network(config(weights=str(tmp_path / "none.pth")), images())


def test_words_that_do_not_go_together():
    with pytest.raises(ConfigError, match="convert_options need convert"):
        config(convert_options={"num_kernels": 2})
    with pytest.raises(ConfigError, match="freeze_inherited=True needs a network with dynamic convolutions"):
        build_network(config(freeze_inherited=True), images())
    with pytest.raises(ArgumentError, match=r"convert='odcnv': expected one of .*did you mean 'odconv'"):
        build_network(config(convert="odcnv"), images())


METHODS = {
    "kernel_weighted": "gate",
    "condconv": "router",
    "dyconv": "router",
    "odconv": "attention",
    "kernel_warehouse": "attention",
    "lgcf": "gate",
}


@pytest.mark.parametrize("method", METHODS)
def test_what_attends(method: str):
    model = convert(nn.Sequential(nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3, padding=1)), method)
    named = {*attention_parameters(model)}
    others = {name for name, _ in model.named_parameters()} - named
    assert any(name.startswith(f"1.{METHODS[method]}.") for name in named)
    assert not any(METHODS[method] in name for name in others)
    assert others <= {"0.weight", "0.bias", "1.weight", "1.bias", "1.bank", "1.warehouse.cells"}


def test_groups_of_parameters():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), dynaconv.create_conv("dyconv", 4, 4, 3))
    plain = parameter_groups(config(weight_decay=0.1), model)
    assert len(plain) == 1
    assert len(plain[0]["params"]) == len([*model.parameters()])
    groups = parameter_groups(config(weight_decay=0.1, decay="weights", attention_lr=10.0), model)
    named = {id(p): name for name, p in model.named_parameters()}
    found = {(g["lr"], g["weight_decay"]): [named[id(p)] for p in g["params"]] for g in groups}
    assert found == {
        (0.01, 0.1): ["0.weight", "2.bank"],
        (0.01, 0.0): ["0.bias", "1.weight", "1.bias", "2.bias"],
        (0.1, 0.1): ["2.router.hidden.weight", "2.router.scores.weight"],
    }
    optimizer = make_optimizer(config(decay="weights", optimizer="sgd"), model)
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_the_command_line_knows_the_words(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    for flag in ("--weights", "--convert", "--convert-options", "--freeze-inherited", "--attention-lr", "--decay"):
        assert flag in text
