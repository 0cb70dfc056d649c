"""Pickled arrays are read; no other name in a pickle is looked up, and nothing in it runs."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dynaconv.data import load_data
from dynaconv.data.array_pickle import PickledArray, load_dict
from dynaconv.data.members import Member
from dynaconv.errors import DataError

ARRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def member(data: bytes) -> Member:
    return Member(Path("archive"), "batch", data)


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", [ARRAY, np.asfortranarray(ARRAY), ARRAY[0], ARRAY.astype("<i8")])
def test_arrays_of_every_protocol(array: np.ndarray, protocol: int) -> None:
    content = load_dict(member(pickle.dumps({"data": array, "n": array[0].tolist()}, protocol)))
    assert isinstance(content["data"], PickledArray)
    assert torch.equal(content["data"].tensor(), torch.from_numpy(array.copy()))
    assert content["n"] == array[0].tolist()


def test_numpy_integers_are_plain_integers() -> None:
    assert load_dict(member(pickle.dumps({"labels": [np.int64(7), np.uint8(3)]}, 2))) == {"labels": [7, 3]}


def test_pickle_written_by_python_2() -> None:
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    array += b"(K\x01(K\x01K\x04t" + dtype + b"\x89U\x04\x00\x7f\x80\xfftb"
    content = load_dict(member(b"\x80\x02}U\x04data" + array + b"s."))
    assert content["data"].tensor().tolist() == [[0, 127, 128, 255]]


@pytest.mark.parametrize(
    ("function", "args", "name"),
    [
        (os.system, ("touch {}",), "posix.system"),
        (os.mkdir, ("{}",), "posix.mkdir"),
        (eval, ("open('{}', 'w')",), "(builtins|__builtin__).eval"),
        (getattr, ("", "format"), "(builtins|__builtin__).getattr"),
        (np.load, ("{}",), "numpy.*load"),
        (np.fromfile, ("{}",), "numpy.*fromfile"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_hostile_pickle_is_refused_and_not_run(
    function: Any, args: tuple, name: str, protocol: int, cifar10, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    hostile = Calls(function, *(arg.format(mark) for arg in args))
    batch = pickle.dumps({"data": hostile, "labels": [0]}, protocol)
    path = cifar10.archive(tmp_path, "python", data_batch_4=batch)
    with pytest.raises(DataError, match=rf"data_batch_4: not a readable pickle \(refused: it calls {name}") as caught:
        load_data("cifar10", root=tmp_path)
    assert str(caught.value).startswith(str(path))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", r"not a readable pickle"),
        (b"junk", r"not a readable pickle"),
        (pickle.dumps({"data": ARRAY})[:-20], r"not a readable pickle"),
        (pickle.dumps([1, 2]), r"holds a list, expected a dictionary"),
        (pickle.dumps({"data": np.array([object()])}), r"not a readable pickle \(.*type 'O8'"),
        (pickle.dumps({"data": ARRAY.astype(">i8")}, 2), r"byte order '>'"),
        (b"cnumpy\ndtype\n}b.", r"sets the state of a global name"),
        (b"\x80\x02cnumpy\nndarray\nN}U\x01aK\x01s\x86b.", r"sets the state of a global name"),
        (b"c_codecs\nencode\n(U\x01aU\x05utf16tR.", r"encodes bytes as 'utf16', expected 'latin1'"),
    ],
)
def test_broken_pickle(data: bytes, problem: str) -> None:
    with pytest.raises(DataError, match=r"archive: batch: .*" + problem.removeprefix("^")):
        load_dict(member(data))


@pytest.mark.parametrize(
    ("batch", "problem"),
    [
        ({"labels": [0]}, "lacks the key 'data'"),
        ({"data": ARRAY}, "lacks the key 'labels'"),
        ({"data": [1], "labels": [0]}, r"not a batch of images \('data' is a list, expected an array\)"),
        ({"data": ARRAY, "labels": [0, 1, 2]}, r"images are torch.uint8 \(3, 4\), expected uint8 \(N, 3072\)"),
        ({"data": np.zeros((2, 3072), "u1"), "labels": [0]}, r"labels of shape \(1,\) for 2 images"),
        ({"data": np.zeros((2, 3072), "u1"), "labels": [0, -1]}, "labels from -1 to 0, expected 0 to 9"),
        ({"data": np.zeros((2, 3072), "u1"), "labels": ["a", "b"]}, "not a batch of images"),
        ({"data": np.zeros((0, 3072), "u1"), "labels": []}, "not a batch of images"),
    ],
)
def test_batch_with_wrong_content(batch: dict, problem: str, cifar10, tmp_path: Path) -> None:
    cifar10.archive(tmp_path, "python", test_batch=pickle.dumps(batch, 4))
    with pytest.raises(DataError, match=f"test_batch: {problem}"):
        load_data("cifar10", root=tmp_path)


def test_array_whose_bytes_do_not_fit_its_shape() -> None:
    array = PickledArray()
    with pytest.raises(ValueError, match="an array without content"):
        array.tensor()
    data = pickle.dumps({"data": ARRAY}, 2).replace(b"K\x03K\x04\x86", b"K\x03K\x05\x86")
    with pytest.raises(ValueError, match=r"shape \(3, 5\) with 12 bytes, expected 15"):
        load_dict(member(data))["data"].tensor()
