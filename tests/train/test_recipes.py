"""Every shipped recipe is a valid configuration, shows the command that runs it and what it claims, and trains."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.data_files import CifarMaker, write_fashion_mnist, write_pictures

from dynaconv.data import load_data
from dynaconv.models import list_models
from dynaconv.models.published import PRESETS
from dynaconv.train import load_config
from dynaconv.train.batches import Position
from dynaconv.train.callbacks import TrackPosition
from dynaconv.train.images_module import ImagesModule
from dynaconv.train.lightning_api import quiet
from dynaconv.train.loop import make_trainer
from dynaconv.train.module import Classification
from dynaconv.train.networks import build_network
from dynaconv.train.temperature import AnnealTemperature, anneals

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
STEPS = 2

each = pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)


def _is_large(path: Path) -> bool:
    """Whether the network takes long to make, even without training it."""
    preset = PRESETS.get(load_config(path).model)
    return preset is not None and preset.parameters > 60e6


def comments(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]


def test_there_is_one_for_every_method() -> None:
    names = " ".join(path.stem for path in RECIPES)
    methods = (
        "odconv",
        "dyconv",
        "condconv",
        "kernel_warehouse",
        "dcd",
        "involution",
        "rfaconv",
        "gsop",
        "cbam",
        "se_",
    )
    assert all(f"imagenet_{method}" in names for method in methods)


@each
def test_header(path: Path) -> None:
    config = load_config(path)
    assert config.model in list_models()
    assert config.out == f"runs/{path.stem}"
    assert any(f"dynaconv train --config recipes/{path.name}" in line for line in comments(path))
    assert any(line.startswith("# Claim: ") for line in comments(path))


@each
def test_claims_are_the_presets(path: Path) -> None:
    """What a recipe claims of its own network stands in the preset too, where that has a figure."""
    preset = PRESETS.get(load_config(path).model)
    printed = preset.published_accuracy.split(" / ")[0] if preset else ""
    claim = " ".join(line.removeprefix("# ") for line in comments(path)).partition("Claim: ")[2]
    if printed and printed[0].isdigit() and not claim.startswith("none") and "reprints" not in claim:
        assert printed in claim


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny data sets in the formats of all recipes."""
    root = tmp_path_factory.mktemp("data")
    write_fashion_mnist(root)
    write_pictures(root, size=(48, 40), each=4)
    for classes in (10, 100):
        CifarMaker(classes).archive(root, "binary")
    return root


@pytest.mark.parametrize("path", [pytest.param(p, marks=[pytest.mark.slow] * _is_large(p), id=p.stem) for p in RECIPES])
def test_two_steps(path: Path, folder: Path) -> None:
    # Smaller batches and photographs would leave normalisations with hardly a number to normalise.
    config = load_config(path).but(batch_size=2, accumulate=1, workers=None, epochs=1)
    if config.data == "imagefolder":
        config = config.but(batch_size=4, image_size=64)
    torch.manual_seed(0)
    data = load_data(config.data, root=folder, image_size=config.image_size, eval_crop=config.eval_crop)
    model, position = build_network(config, data), Position()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    task = Classification(config, data, model)
    callbacks = [TrackPosition(position)]
    if anneals(config, model):
        callbacks.append(AnnealTemperature(config, model, task.batches_per_epoch, position))
    with quiet():
        trainer = make_trainer(
            config.but(accelerator="cpu", devices=1),
            max_steps=STEPS,
            limit_val_batches=0,
            logger=False,
            callbacks=callbacks,
            enable_progress_bar=False,
        )
        trainer.fit(task, datamodule=ImagesModule(config, data, position))
    assert position.batches == STEPS
    assert all(p.isfinite().all() for p in model.parameters())
    assert any(not p.equal(before[name]) for name, p in model.named_parameters())
