"""Banks in the kernels' packed layout, never stale.

A network that serves runs forward again and again on the same weights: from the second time on the packed bank is kept.
One that trains changes the weights after every step, and keeping them would double its banks: they are packed into
memory that all banks share, or not at all where a pass reads each weight so rarely that the kernels lay it out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from dynaconv.native.calls import call
from dynaconv.native.library import Problem, library

__all__ = ["packed", "plain_bank", "shared_floats"]


@dataclass
class _Entry:
    """What a bank was when it was last seen, and how it was packed if it has been seen before."""

    stamp: tuple[object, ...]
    floats: Tensor | None = None


class _Shared:
    """The buffer that banks are packed into, one after the other."""

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


def plain_bank(bank: Tensor) -> Tensor:
    """The bank as the kernels read it where it is not packed: contiguous float32."""
    return bank.detach().contiguous().float()


def _pack(plain: Tensor, problem: Problem, swap: bool, into: Tensor) -> Tensor:
    """Pack into `into` if it has room, else into a new tensor."""
    size = library().dynaconv_packed_floats(ctypes.byref(problem), int(swap))
    target = into if into.numel() >= size else torch.empty(size)
    call("pack", problem, plain.float(), int(swap), target)
    return target


@contextmanager
def packed(
    bank: Tensor, problem: Problem, *, swap: bool = False, keep: bool = False, or_plain: bool = False
) -> Iterator[Tensor]:
    """The bank as the kernels shall read it, packed or not, within a `with` block.

    Args:
        bank: `(K, O, I/g, *k)`, on the CPU.
        problem: the sizes; told whether the bank is packed.
        swap: packed for the input gradient, inputs and outputs exchanged; else for the forward pass.
        keep: whether a bank seen for the second time is worth keeping packed.
        or_plain: whether the pass can also read the bank as it is, where that costs less.
    """
    plain = bank.detach().contiguous()
    floats = None if swap or bank.is_inference() else _kept(bank, plain, problem, keep)
    if floats is not None:
        yield floats
        return
    if or_plain and library().dynaconv_reads_plain(ctypes.byref(problem), int(swap)):
        problem.plain_bank = 1
        yield plain.float()
        return
    with shared_floats(library().dynaconv_packed_floats(ctypes.byref(problem), int(swap))) as floats:
        yield _pack(plain, problem, swap, floats)


@contextmanager
def shared_floats(size: int) -> Iterator[Tensor]:
    """The memory that all banks share, at least so many floats, within a `with` block: one thread at a time."""
    with _shared.lock:
        if _shared.floats.numel() < size:
            _shared.floats = torch.empty(size)
        yield _shared.floats


def _kept(bank: Tensor, plain: Tensor, problem: Problem, keep: bool) -> Tensor | None:
    """The packed bank that is kept, if there is one that is not stale, or if one is to be kept from now on."""
    with _lock:
        stamp, entry = _stamp(bank, plain, problem), _entries.get(bank)
        if entry is None or entry.stamp != stamp:
            _entries[bank] = _Entry(stamp)
            return None
        if entry.floats is None and keep:
            entry.floats = _pack(plain, problem, False, torch.empty(0))
        return entry.floats
