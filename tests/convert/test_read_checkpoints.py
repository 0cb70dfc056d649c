"""Weight files are read without executing code, whatever is around the weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dynaconv.convert.checkpoints import load_published, read_state
from dynaconv.errors import ArgumentError, CheckpointError

WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


def same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == WEIGHTS.keys() and all(torch.equal(found[k], WEIGHTS[k]) for k in WEIGHTS)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"epoch": 3, "model": {"state_dict": s}},
        lambda s: {f"module.{k}": v for k, v in s.items()},
        lambda s: {"net": {f"module.module.{k}": v for k, v in s.items()}, "acc": 0.5},
    ],
)
@pytest.mark.parametrize("name", ["w.pth", "w.pth.tar"])
def test_wrapped_and_prefixed_files(tmp_path: Path, wrap, name: str):
    torch.save(wrap(WEIGHTS), tmp_path / name)
    assert same(read_state(tmp_path / name))


def test_safetensors(tmp_path: Path):
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert same(read_state(str(tmp_path / "w.safetensors")))


class Planted:
    """Would write a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_execute_code_is_refused_and_nothing_runs(tmp_path: Path):
    torch.save({"state_dict": WEIGHTS, "args": Planted(tmp_path / "ran")}, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match="would execute code"):
        read_state(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all" * 50, b"PK\x03\x04broken", b"\x80\x02broken"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, suffix: str):
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint|safetensors"):
        read_state(path)


def test_a_truncated_file_is_refused(tmp_path: Path):
    torch.save(WEIGHTS, tmp_path / "w.pth")
    whole = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError):
        read_state(tmp_path / "w.pth")


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"state_dict": {}}, torch.ones(2)])
def test_files_without_weights_are_refused(tmp_path: Path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="holds"):
        read_state(tmp_path / "w.pth")


def test_no_such_file_and_no_such_source(tmp_path: Path):
    with pytest.raises(CheckpointError, match="no such file"):
        read_state(tmp_path / "w.pth")
    with pytest.raises(ArgumentError, match="source='nobody/nothing': expected one of"):
        load_published(nn.Linear(1, 1), {}, "nobody/nothing")
