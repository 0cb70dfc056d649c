from __future__ import annotations

from pathlib import Path

import pytest
import torch

import dynaconv.train.loop
from dynaconv.compare import Entry, compare, load_comparison, run_config
from dynaconv.data import ImageData, TensorImages
from dynaconv.errors import ArgumentError
from dynaconv.train import TrainConfig

STATIC = Entry("Static net", "kernel_weighted_cnn", "static", 0.05)
DYNAMIC = Entry("dynamic", "dot_product_cnn", None, 0.05, {"bank_size": 3, "embedding_dim": 4})


@pytest.fixture(scope="module")
def images() -> ImageData:
    generator = torch.Generator().manual_seed(0)

    def made_up(count: int) -> TensorImages:
        pixels = torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=generator)
        return TensorImages(pixels, torch.arange(count) % 3)

    return ImageData("made-up", made_up(24), made_up(9), ("a", "b", "c"), 1, (8, 8), (0.5,), (0.3,))


@pytest.fixture(scope="module")
def config() -> TrainConfig:
    return TrainConfig(epochs=2, batch_size=8, eval_every=2, accelerator="cpu")


def test_every_network_and_seed_is_trained_once(
    images: ImageData,
    config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = compare([STATIC, DYNAMIC], (0, 1), tmp_path, config, data=images)
    assert "Static net (network 1 of 2, seed 0)" in capsys.readouterr().out
    assert (first.data, first.epochs, first.seeds) == ("made-up", 2, (0, 1))
    assert [result.entry for result in first.results] == [STATIC, DYNAMIC]
    assert [[run.seed for run in result.runs] for result in first.results] == [[0, 1], [0, 1]]
    for result in first.results:
        assert result.parameters > 0
        assert result.seconds_per_step > 0
        assert [point.epoch for point in result.curve()] == [2]
        assert result.runs[0].history != result.runs[1].history
    assert load_comparison(tmp_path / "comparison.json") == first
    assert len(list((tmp_path / "runs").iterdir())) == 4

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(dynaconv.train.loop, "train", refuse)
    assert compare([STATIC, DYNAMIC], (0, 1), tmp_path, config, data=images, show_progress=False) == first


def test_a_runs_folder_tells_network_and_seed_and_differs_with_the_settings(config: TrainConfig) -> None:
    out = Path("out")
    settings = run_config(STATIC, 7, out, config)
    assert Path(settings.out).parent == out / "runs"
    assert Path(settings.out).name.startswith("static-net-seed7-")
    assert (settings.model, settings.conv, settings.width, settings.seed) == (
        "kernel_weighted_cnn",
        "static",
        0.05,
        7,
    )
    assert run_config(STATIC, 7, out, config.but(lr=0.5)).out != settings.out
    assert run_config(STATIC, 7, out, config.but(workers=2)).out == settings.out


@pytest.mark.parametrize("entries", [[], [STATIC, STATIC]])
def test_labels_must_differ(entries: list[Entry], config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"entries=.*at least one entry, with labels that differ"):
        compare(entries, (0,), tmp_path, config)


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_must_differ(seeds: tuple[int, ...], config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"seeds=.*at least one seed, none of them twice"):
        compare([STATIC], seeds, tmp_path, config)
