"""Every shipped recipe is a valid configuration whose header shows the command that runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynaconv.models import list_models
from dynaconv.train import load_config

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


def test_there_are_recipes() -> None:
    assert len(RECIPES) >= 4


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe(path: Path) -> None:
    config = load_config(path)
    assert config.model in list_models()
    assert config.out == f"runs/{path.stem}"
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert any(f"dynaconv train --config recipes/{path.name}" in line for line in header)
    assert any(line.startswith("# Claim: ") for line in header)
