"""Models with a card in a local folder, and the upload up to where the network would begin."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, hub_mixin
from torch import nn

import dynaconv
from dynaconv.convert import convert
from dynaconv.errors import CheckpointError
from dynaconv.hub import from_pretrained, push_to_hub
from dynaconv.hub.mixin import HubModel

INFO = {
    "dataset": "fashion-mnist",
    "classes": ["shirt", "coat | jacket", "bag"],
    "image_size": [28, 28],
    "mean": [0.286],
    "std": [0.353],
    "accuracy": {"clean": 0.9125, "viewpoint": 0.8},
    "licence": "apache-2.0",
    "training": {"epochs": 3, "lr": 0.001},
}


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    static = dynaconv.create_model("kernel_weighted_cnn", conv="static", width=0.1, num_classes=3, in_channels=1)
    return convert(static, "odconv")


def same(a: nn.Module, b: nn.Module) -> bool:
    x = torch.randn(2, 1, 20, 24)
    return torch.equal(a.eval()(x), b.eval()(x))


def test_the_mixin_in_a_folder(tmp_path: Path, model: nn.Module):
    HubModel(model, INFO).save_pretrained(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    loaded = HubModel.from_pretrained(str(tmp_path))
    assert same(loaded.model, model)
    assert loaded.info == INFO
    assert same(from_pretrained(tmp_path), model)
    assert same(dynaconv.load(tmp_path), model)


def test_the_card_tells_what_was_measured(tmp_path: Path, model: nn.Module):
    HubModel(model, INFO).save_pretrained(tmp_path, model_card_kwargs={"name": "odconv-small"})
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "dynaconv"
    assert {"odconv", "dynamic-convolution"} <= set(card.data.tags)
    for line in (
        "# odconv-small",
        "| clean | 91.25 % |",
        "| data set | fashion-mnist |",
        "| licence | apache-2.0 |",
        "| classes | shirt, coat \\| jacket, bag |",
        "| epochs | 3 |",
        f"| parameters | {sum(p.numel() for p in model.parameters()):,} |",
    ):
        assert line in card.text.splitlines()


def test_the_card_of_a_model_of_which_nothing_is_known(tmp_path: Path):
    HubModel(nn.Linear(2, 2)).save_pretrained(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| licence | not told |" in text
    assert "Accuracy" not in text


class Upload:
    """Takes the place of the hub: keeps what would be sent."""

    sent: dict[str, bytes]

    def __init__(self, token: str | None = None) -> None:
        self.token = token

    def create_repo(self, repo_id: str, **_: object):
        self.repo_id = repo_id
        return self

    def upload_folder(self, folder_path: Path, repo_id: str, **_: object) -> str:
        type(self).sent = {p.name: p.read_bytes() for p in Path(folder_path).iterdir()}
        return f"https://hub/{repo_id}"


def test_what_would_be_uploaded(tmp_path: Path, model: nn.Module, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub_mixin, "HfApi", Upload)
    assert push_to_hub(model, "somebody/odconv-small", INFO, private=True) == "https://hub/somebody/odconv-small"
    assert Upload.sent.keys() == {"README.md", "config.json", "model.safetensors"}
    assert b"# odconv-small" in Upload.sent["README.md"]
    for name, content in Upload.sent.items():
        (tmp_path / name).write_bytes(content)
    assert same(from_pretrained(tmp_path), model)


def test_a_damaged_folder_is_refused(tmp_path: Path, model: nn.Module):
    HubModel(model).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    for take in (from_pretrained, HubModel.from_pretrained):
        with pytest.raises(CheckpointError, match="damaged"):
            take(str(tmp_path))


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[2] / "docs" / "hub.md"
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, "hub.md", "exec"), names)
    assert "mine" in names


def test_the_hub_is_not_imported_unasked():
    code = "import sys, dynaconv; print([n for n in ('huggingface_hub', 'safetensors', 'timm') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
