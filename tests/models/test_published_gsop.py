"""Whole GSoP and iSQRT-COV networks give the authors' scores, loaded as their checkpoints are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.made_up_weights import numbers, recorded

from dynaconv import create_attention, create_model, load_published
from dynaconv.errors import CheckpointError

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.mark.parametrize(
    ("name", "file", "source"),
    [
        ("gsop1_channel_resnet50", "gsop/gsop1_channel_resnet50", "ZilinGao/GSoP"),
        ("gsop1_concat_resnet50", "gsop/gsop1_concat_resnet50", "ZilinGao/GSoP"),
        ("gsop2_channel_resnet50", "gsop/gsop2_channel_resnet50", "ZilinGao/GSoP"),
        ("isqrt_resnet50", "fast_mpn_cov/mpncovresnet50", "jiangtaoxie/fast-MPN-COV"),
    ],
)
def test_scores_are_the_authors(name: str, file: str, source: str) -> None:
    kept, state = recorded(FIXTURES / f"{file}.safetensors")
    model = create_model(name, num_classes=10).double().eval()
    load_published(model, {f"module.{key}": value for key, value in state.items()}, source)
    with torch.no_grad():
        scores = model(2 * numbers("images", (2, 3, 64, 48)))
    torch.testing.assert_close(scores, kept["y"], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("channels", "parameters"), [(256, 230_784), (512, 394_880), (1024, 723_072), (2048, 1_379_456)]
)
def test_parameters_of_the_channel_block(channels: int, parameters: int) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in create_attention("gsop_channel", channels).parameters()) == parameters


def test_weights_of_another_network_are_refused() -> None:
    _, state = recorded(FIXTURES / "gsop" / "gsop1_channel_resnet50.safetensors")
    model = create_model("gsop2_channel_resnet50", num_classes=10)
    with pytest.raises(
        CheckpointError, match=r"missing: avgpool\.reduce\.0\.weight.*unexpected: layer4\.2\.conv_for_DR"
    ):
        load_published(model, state, "ZilinGao/GSoP")
