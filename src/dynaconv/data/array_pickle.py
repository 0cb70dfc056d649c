"""Reads pickled dictionaries of integer arrays without executing pickled code.

A pickle names functions and calls them. Here the few names that an array's pickle holds stand for inert objects of
this file, every other name is refused, so that no function that the pickle's author chose is ever looked up.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor

from dynaconv.data.members import Member

__all__ = ["PickledArray", "load_dict"]

_DTYPES = {"u1": torch.uint8, "i4": torch.int32, "i8": torch.int64}


class _Dtype:
    """Stands for a NumPy data type."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in _DTYPES:
            raise pickle.UnpicklingError(f"holds an array of type {code!r}, expected one of {', '.join(_DTYPES)}")
        self.torch_dtype = _DTYPES[code]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", "|"):
            raise pickle.UnpicklingError(f"holds an array of byte order {state[1]!r}, expected '<'")


class PickledArray:
    """Stands for a NumPy array: its shape, type and bytes."""

    def __init__(self) -> None:
        self._fields: tuple[tuple[int, ...], _Dtype, bool, bytes] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, column_major, raw = state
        self._fields = shape, dtype, column_major, _latin1(raw) if isinstance(raw, str) else bytes(raw)

    def tensor(self) -> Tensor:
        """The array as a tensor.

        Raises:
            ValueError: its parts do not fit together.
        """
        if self._fields is None:
            raise ValueError("an array without content")
        shape, dtype, column_major, raw = self._fields
        expected = prod(shape) * dtype.torch_dtype.itemsize
        if not raw or len(raw) != expected:
            raise ValueError(f"an array of shape {shape} with {len(raw)} bytes, expected {expected}")
        flat = torch.frombuffer(bytearray(raw), dtype=dtype.torch_dtype)
        if column_major:
            return flat.reshape(shape[::-1]).permute(*reversed(range(len(shape))))
        return flat.reshape(shape)


class _Inert:
    """Stands for a global name of a pickle; calling it makes one of the objects above, its state cannot be set."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., object]) -> None:
        self._make = make

    def __call__(self, *args: object) -> object:
        return self._make(*args)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("sets the state of a global name")


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """The bytes that `text` stands for, one per character; the only `encoding` that pickles use for this."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encodes bytes as {encoding!r}, expected 'latin1'")
    return text.encode("latin1")


def _reconstruct(*_: object) -> PickledArray:
    return PickledArray()


def _frombuffer(raw: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
    array = PickledArray()
    array.__setstate__((1, shape, dtype, order == "F", raw))
    return array


def _scalar(dtype: Any, raw: Any) -> int:
    array = PickledArray()
    array.__setstate__((1, (), dtype, False, raw))
    return int(array.tensor())


_MAKERS: dict[tuple[str, str], Callable[..., object]] = {
    ("multiarray", "_reconstruct"): _reconstruct,
    ("multiarray", "scalar"): _scalar,
    ("numeric", "_frombuffer"): _frombuffer,
}
_GLOBALS = {
    ("numpy", "ndarray"): _Inert(_reconstruct),
    ("numpy", "dtype"): _Inert(_Dtype),
    ("_codecs", "encode"): _Inert(_latin1),
    # NumPy 2 renamed `numpy.core`.
    **{
        (f"numpy.{core}.{module}", name): _Inert(make)
        for core in ("core", "_core")
        for (module, name), make in _MAKERS.items()
    },
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> object:
        if (module_name, global_name) not in _GLOBALS:
            raise pickle.UnpicklingError(
                f"refused: it calls {module_name}.{global_name}, which no array needs; nothing was executed"
            )
        return _GLOBALS[module_name, global_name]


def load_dict(member: Member) -> dict[str, object]:
    """The dictionary pickled in `member`; its arrays become `PickledArray`.

    Raises:
        DataError: it is broken, holds anything but plain values and integer arrays, or is no dictionary.
    """
    try:
        value = _ArrayUnpickler(io.BytesIO(member.data), encoding="latin1").load()
    except Exception as error:  # broken data make the unpickler raise almost any error
        raise member.error(f"not a readable pickle ({error})") from error
    if not isinstance(value, dict):
        raise member.error(f"holds a {type(value).__name__}, expected a dictionary")
    return value
