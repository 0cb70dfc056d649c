"""Banks in the kernels' packed layout: made once per weight update, and never stale."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from dynaconv.native.library import Problem, library

__all__ = ["packed", "transposed"]


@dataclass
class _Entry:
    """A packed bank and what it was packed from."""

    stamp: tuple[object, ...]
    floats: Tensor


class _Shared:
    """The buffer that transposed banks are packed into, one after the other."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.floats = torch.empty(0)


_entries: MutableMapping[Tensor, _Entry] = WeakTensorKeyDictionary()
_lock = Lock()
_shared = _Shared()


def _stamp(bank: Tensor, plain: Tensor, problem: Problem) -> tuple[object, ...]:
    """Changes whenever the bank does: version and address, and a sample of its values for writes through `.data`."""
    sample = library().dynaconv_fingerprint(ctypes.c_void_p(plain.data_ptr()), ctypes.c_int64(plain.nbytes))
    return bank._version, bank.data_ptr(), tuple(bank.shape), problem.groups, sample


def _pack(plain: Tensor, problem: Problem, swap: bool, into: Tensor) -> Tensor:
    """Pack into `into` if it has room, else into a new tensor."""
    size = library().dynaconv_packed_floats(ctypes.byref(problem), int(swap))
    target = into if into.numel() >= size else torch.empty(size)
    floats = plain.float()
    pointers = (ctypes.c_void_p(floats.data_ptr()), int(swap), ctypes.c_void_p(target.data_ptr()))
    library().dynaconv_pack(ctypes.byref(problem), *pointers)
    return target


def packed(bank: Tensor, problem: Problem) -> Tensor:
    """The bank packed for the forward pass and for its own gradient.

    Kept while the bank lives, and made anew, in the same memory, when the bank has changed.

    Args:
        bank: `(K, O, I/g, kh, kw)`, float32, on the CPU.
        problem: the sizes.
    """
    plain = bank.detach().contiguous()
    if bank.is_inference():  # has no version to watch
        return _pack(plain, problem, False, torch.empty(0))
    with _lock:
        stamp = _stamp(bank, plain, problem)
        entry = _entries.get(bank)
        if entry is None:
            entry = _entries[bank] = _Entry(stamp, _pack(plain, problem, False, torch.empty(0)))
        elif entry.stamp != stamp:
            entry.floats, entry.stamp = _pack(plain, problem, False, entry.floats), stamp
        return entry.floats


@contextmanager
def transposed(bank: Tensor, problem: Problem) -> Iterator[Tensor]:
    """The bank packed for the input gradient, within a `with` block.

    It serves once per backward pass, so all banks share one buffer, which one thread uses at a time.

    Args:
        bank: `(K, O, I/g, kh, kw)`, float32, on the CPU.
        problem: the sizes.
    """
    with _shared.lock:
        _shared.floats = _pack(bank.detach().contiguous(), problem, True, _shared.floats)
        yield _shared.floats
