"""Weight files made to harm: refused with a clear error, nothing executed, nothing large allocated."""

from __future__ import annotations

import json
import os
import pickle
import resource
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from dynaconv.convert.checkpoints import load_published, read_state
from dynaconv.convert.checkpoints.safetensors_file import read_metadata, read_safetensors
from dynaconv.errors import CheckpointError

TERABYTES = 2**42


class Planted:
    """Would write a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def memory() -> int:
    """The most memory that the process has had, in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.fixture(autouse=True)
def _little_memory():
    """No test may take more than 300 MB, whatever a file claims."""
    before = memory()
    yield
    assert memory() - before < 300_000


def header(**entries: object) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


def claim(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


HEADERS = {
    "a header of terabytes": struct.pack("<Q", TERABYTES) + b"{}",
    "a tensor of terabytes": header(a=claim([TERABYTES // 4], 0, TERABYTES)) + bytes(64),
    "a shape beyond its bytes": header(a=claim([TERABYTES], 0, 64)) + bytes(64),
    "a product that overflows": header(a=claim([2**33, 2**33], 0, 16)) + bytes(16),
    "bytes shared by two": header(a=claim([16], 0, 64), b=claim([16], 0, 64)) + bytes(64),
    "bytes of nobody": header(a=claim([4], 0, 16)) + bytes(64),
    "a negative place": header(a=claim([4], -16, 0)) + bytes(16),
    "an unknown type": header(a=claim([4], 0, 16, "X99")) + bytes(16),
    "no mapping": struct.pack("<Q", 2) + b"[]",
    "a header of nested lists": struct.pack("<Q", 40_000) + b"[" * 20_000 + b"]" * 20_000,
}


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_safetensors_that_claim_what_is_not_there(tmp_path: Path, content: bytes):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    for read in (read_safetensors, read_metadata, read_state):
        with pytest.raises(CheckpointError, match="damaged or not a safetensors file"):
            read(path)


def test_a_pickle_called_safetensors_is_not_unpickled(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    torch.save({"a": Planted(tmp_path / "ran")}, path)
    with pytest.raises(CheckpointError, match="safetensors"):
        read_state(path)
    path.write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    with pytest.raises(CheckpointError, match="safetensors"):
        read_state(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("around", [lambda p: p, lambda p: {"state_dict": {"a": torch.ones(1)}, "args": p}])
def test_planted_code_does_not_run(tmp_path: Path, around, legacy: bool):
    torch.save(around(Planted(tmp_path / "ran")), tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="would execute code"):
        read_state(tmp_path / "w.pth")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(around(Planted(tmp_path / "ran"))))
    with pytest.raises(CheckpointError, match=r"execute code|not a PyTorch checkpoint"):
        read_state(tmp_path / "plain.pt")
    assert not (tmp_path / "ran").exists()


def test_an_archive_that_unfolds_to_more_than_its_size(tmp_path: Path):
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(8)}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, bytes(400_000_000) if name.endswith("data/0") else content)
    del entries
    assert path.stat().st_size < 1_000_000
    with pytest.raises(CheckpointError, match="refused: it unfolds to"):
        read_state(path)


def test_a_tensor_that_claims_terabytes_by_its_strides_fits_no_model(tmp_path: Path):
    """A view of one number with strides of zero costs nothing until it is copied."""
    torch.save({"weight": torch.ones(1).expand(2**20, 2**20), "bias": torch.ones(2)}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="of another shape: weight"):
        load_published(nn.Linear(3, 2), tmp_path / "w.pth", "timm")


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
def test_archives_of_other_kinds(tmp_path: Path):
    with tarfile.open(tmp_path / "w.tar", "w") as archive:
        archive.add(__file__, "storages")
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "script.pt")
    (tmp_path / "folder.pth").mkdir()
    for name in ("w.tar", "script.pt", "folder.pth"):
        with pytest.raises(CheckpointError):
            read_state(tmp_path / name)


@pytest.mark.parametrize("place", [0, 1, 3, 9, 40, 200])
def test_flipped_bits_and_cuts_never_escape_as_other_errors(tmp_path: Path, place: int):
    torch.save({"a": torch.ones(4), "b": {"c": 1}}, tmp_path / "whole.pth")
    wholes = {"pth": (tmp_path / "whole.pth").read_bytes(), "safetensors": save({"a": torch.ones(4)})}
    for suffix, whole in wholes.items():
        spot = place % len(whole)
        for damaged in (whole[:spot], whole[:spot] + bytes([whole[spot] ^ 0xFF]) + whole[spot + 1 :]):
            path = tmp_path / f"w.{suffix}"
            path.write_bytes(damaged)
            try:
                state = read_state(path)
            except CheckpointError:
                continue
            assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
