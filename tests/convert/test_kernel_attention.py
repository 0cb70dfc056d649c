"""The seed layers and networks give what their authors' code gives, loaded as its checkpoints are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from support.kernel_attention import SCRIPTS, VARIANTS, state_of
from support.made_up_weights import numbers
from torch import Tensor, nn

from dynaconv import create_conv, create_model, load_published
from dynaconv.errors import CheckpointError
from dynaconv.layers import BatchRenorm2d

FIXTURES = Path(__file__).parents[1] / "fixtures" / "kernel_attention"
SOURCE = "mhorton19/CNN-Kernel-Attention"
CLOSE = {"rtol": 1e-11, "atol": 1e-13}
LAYERS = [(method, name) for method, variants in VARIANTS.items() for name in variants]


def recorded(file: str) -> tuple[dict[str, Tensor], dict[str, dict[str, list[int]]]]:
    """A fixture's tensors and the names and shapes of the state dicts that made them."""
    with safe_open(FIXTURES / f"{file}.safetensors", framework="pt") as opened:
        kept = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dictionary)
        return kept, json.loads(opened.metadata()["shapes"])


def state(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    return state_of({name: tuple(shape) for name, shape in shapes.items()})


@pytest.mark.parametrize(("method", "name"), LAYERS)
def test_layers_are_the_authors(method: str, name: str) -> None:
    kept, shapes = recorded(method)
    variant = VARIANTS[method][name]
    batch, *size = variant.size
    # They average over the left square of a wide map.
    flaws = {"as_published": True} if name == "wide" else {}
    layer = create_conv(method, *variant.channels, variant.kernel_size, **variant.geometry, **variant.ours, **flaws)
    load_published(layer.double().eval(), state(shapes[name]), SOURCE)
    x = (numbers(f"{name}.x", (batch, variant.channels[0], *size)) + 0.3).requires_grad_()
    y = layer(x)
    (gradient,) = torch.autograd.grad(y, x, numbers(f"{name}.upstream", tuple(y.shape)))
    torch.testing.assert_close(y, kept[f"{name}.y"], **CLOSE)
    torch.testing.assert_close(gradient, kept[f"{name}.x_gradient"], **CLOSE)


@pytest.mark.parametrize("method", VARIANTS)
def test_the_correct_form_is_another_on_wide_maps(method: str) -> None:
    kept, shapes = recorded(method)
    variant = VARIANTS[method]["wide"]
    layer = create_conv(method, *variant.channels, variant.kernel_size, **variant.geometry, **variant.ours)
    load_published(layer.double().eval(), state(shapes["wide"]), SOURCE)
    batch, *size = variant.size
    y = layer(numbers("wide.x", (batch, variant.channels[0], *size)) + 0.3)
    assert not torch.allclose(y, kept["wide.y"], rtol=1e-6)


def network(method: str) -> nn.Module:
    """Our network with their weights, and the statistics that theirs were given."""
    _, shapes = recorded(f"{method}_cnn")
    model = create_model(f"{method}_cnn").double().eval()
    own = state(shapes)
    if method == "dot_product":
        with pytest.warns(UserWarning, match="saves no statistics of batch renormalisation"):
            load_published(model, own, SOURCE)
    else:
        load_published(model, own, SOURCE)
    # Each weight that theirs has is in ours, and theirs are called in the order of ours.
    norms = [key.removesuffix(".gamma") for key in own if key.endswith(".gamma")]
    ours = [module for module in model.modules() if isinstance(module, BatchRenorm2d)]
    for name, module in zip(norms, ours, strict=True):
        module.running_mean.copy_(numbers(f"{name}.mean", (1, module.channels, 1, 1)).flatten() / 5)
        module.running_std.copy_(numbers(f"{name}.std", (1, module.channels, 1, 1)).flatten() / 2 + 1)
    return model


@pytest.mark.parametrize("method", SCRIPTS)
def test_networks_are_the_authors(method: str) -> None:
    kept, _ = recorded(f"{method}_cnn")
    scores = network(method)(numbers("images", (2, 3, 32, 32)))
    torch.testing.assert_close(scores, kept["y"], rtol=1e-9, atol=1e-11)


def test_files_whatever_their_order(tmp_path: Path) -> None:
    _, shapes = recorded("fc_generated_cnn")
    theirs = state(shapes)
    # safetensors sorts the names.
    save_file({f"module.{key}": value for key, value in theirs.items()}, tmp_path / "weights.safetensors")
    torch.save({"state_dict": theirs, "epoch": 3}, tmp_path / "weights.pth.tar")
    x, expected = numbers("images", (1, 3, 32, 32)), network("fc_generated")
    for file in ("weights.safetensors", "weights.pth.tar"):
        model = load_published(create_model("fc_generated_cnn").double().eval(), tmp_path / file, SOURCE)
        torch.testing.assert_close(model(x), expected(x))


def test_what_does_not_fit_is_named() -> None:
    _, shapes = recorded("kernel_weighted_cnn")
    theirs = state(shapes)
    del theirs["cond_conv3_2.kernel_generator.fc_out.bias"]
    theirs["something.else"] = torch.zeros(1)
    message = r"1 missing: features\.conv7\.gate\.fc\.bias; 1 unexpected: something\.else"
    with pytest.raises(CheckpointError, match=message):
        load_published(create_model("kernel_weighted_cnn"), theirs, SOURCE)
    with pytest.raises(CheckpointError, match="of another shape: features"):
        load_published(create_model("kernel_weighted_cnn", num_classes=10, width=0.5), state(shapes), SOURCE)
    wrong = create_conv("dot_product", 6, 8, 3, bank_size=4, bias=False)
    with pytest.raises(CheckpointError, match=r"slices\.bank \(5, 3, 3\) instead of \(4, 3, 3\)"):
        load_published(wrong, state(recorded("dot_product")[1]["plain"]), SOURCE)
