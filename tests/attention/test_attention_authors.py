"""CBAM, BAM and global context give what their authors' code gives; selective kernel and others what timm's does."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm.layers
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dynaconv.attention import (
    BAM,
    CBAM,
    CBAMChannel,
    CBAMSpatial,
    EfficientChannelAttention,
    GlobalContext,
    SelectiveKernel,
    SqueezeExcite,
)
from dynaconv.convert.checkpoints.attention_module import SOURCE

FIXTURES = Path(__file__).parents[1] / "fixtures"
JONGCHAN = {
    "cbam": CBAM(16, reduction=4),
    "cbam_channel": CBAMChannel(16, reduction=4),
    "cbam_spatial": CBAMSpatial(4),
    "bam": BAM(32, as_published=True),
}


def part(fixture: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in fixture.items() if key.startswith(prefix)}


def assert_equal_with_gradient(block: nn.Module, fixture: dict[str, Tensor]) -> None:
    x = fixture["x"].requires_grad_()
    y = block(x)
    torch.testing.assert_close(y, fixture["y"], rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(y, x, fixture["upstream"])
    torch.testing.assert_close(gradient, fixture["x_gradient"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", JONGCHAN)
def test_cbam_and_bam_are_the_authors(name: str) -> None:
    fixture, block = load_file(FIXTURES / "attention_module" / f"{name}.safetensors"), JONGCHAN[name].double()
    block.load_state_dict(SOURCE.rename(part(fixture, "state."), block))
    assert_equal_with_gradient(block.eval(), fixture)
    torch.testing.assert_close(block.train()(fixture["x"]), fixture["y_training"], rtol=1e-12, atol=1e-12)
    state = block.state_dict()
    after = SOURCE.rename(part(fixture, "after."), block)
    torch.testing.assert_close({key: state[key] for key in after}, after, rtol=1e-12, atol=1e-12)


def test_bam_adds_its_branches_as_the_paper_says() -> None:
    fixture = load_file(FIXTURES / "attention_module" / "bam.safetensors")
    block = BAM(32).double().eval()
    block.load_state_dict(SOURCE.rename(part(fixture, "state."), block))
    x = fixture["x"]
    channel, spatial = block.channel(x.mean((2, 3))), block.spatial(x)
    for b, c, i, j in ((0, 0, 0, 0), (1, 31, 4, 2), (1, 7, 2, 3)):
        expected = x[b, c, i, j] * (1 + torch.sigmoid(channel[b, c] + spatial[b, 0, i, j]))
        torch.testing.assert_close(block(x)[b, c, i, j], expected)


@pytest.mark.parametrize("fusion", ["add", "scale"])
def test_global_context_is_the_authors(fusion: str) -> None:
    fixture = load_file(FIXTURES / "gcnet" / f"{fusion}.safetensors")
    block = GlobalContext(16, reduction=4, fusion=fusion).double()
    branch = {"add": "channel_add_conv", "scale": "channel_mul_conv"}[fusion]
    ours = {"conv_mask": "mask", f"{branch}.0": "fc1", f"{branch}.1": "norm", f"{branch}.3": "fc2"}
    state = {}
    for key, value in part(fixture, "state.").items():
        module, _, parameter = key.rpartition(".")
        state[f"{ours[module]}.{parameter}"] = value
    block.load_state_dict({key: value.reshape(block.get_parameter(key).shape) for key, value in state.items()})
    assert_equal_with_gradient(block, fixture)


def copied(ours: nn.Module, theirs: nn.Module, names: dict[str, str]) -> tuple[nn.Module, nn.Module]:
    """Both in float64 with random weights, ours the same as theirs, by module names ours -> theirs."""
    ours, theirs = ours.double().eval(), theirs.double().eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, 0.1, 0.3)
    for buffer in theirs.buffers():
        if buffer.is_floating_point():
            nn.init.uniform_(buffer, 0.1, 0.9)
    state = theirs.state_dict()
    for key, tensor in ours.state_dict().items():
        module, _, parameter = key.rpartition(".")
        tensor.copy_(state[f"{names[module]}.{parameter}"].reshape(tensor.shape))
    assert len(ours.state_dict()) == len(state)
    return ours, theirs


X = torch.randn(2, 64, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
SK_NAMES = {
    "branches.0.0": "paths.0.conv",
    "branches.0.1": "paths.0.bn",
    "branches.1.0": "paths.1.conv",
    "branches.1.1": "paths.1.bn",
    "squeeze": "attn.fc_reduce",
    "norm": "attn.bn",
    "select": "attn.fc_select",
}
TIMM = {
    "se": (
        SqueezeExcite(64),
        timm.layers.SEModule(64, rd_divisor=1),
        {"fc1": "fc1", "fc2": "fc2"},
    ),
    "eca": (EfficientChannelAttention(64), timm.layers.EcaModule(64), {"conv": "conv"}),
    "selective_kernel": (
        SelectiveKernel(64),
        timm.layers.SelectiveKernel(64, groups=32, split_input=False, rd_channels=32),
        SK_NAMES,
    ),
    "cbam_channel": (
        CBAMChannel(64, bias=False),
        timm.layers.cbam.ChannelAttn(64),
        {"fc1": "fc1", "fc2": "fc2"},
    ),
}


@pytest.mark.parametrize("name", TIMM)
def test_equal_to_timm(name: str) -> None:
    ours, theirs = copied(*TIMM[name])
    torch.testing.assert_close(ours(X), theirs(X), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(ours(X), X)
