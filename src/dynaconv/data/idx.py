"""Reads IDX files, the format of MNIST and its successors, plain or gzipped."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import BinaryIO, cast

import torch
from torch import Tensor

from dynaconv.data.checksums import verify_checksum
from dynaconv.errors import DataError

__all__ = ["read_idx"]

_UINT8 = 0x08
# Larger than any published set; keeps a hostile header from filling the memory.
_MOST_BYTES = 1 << 30


def read_idx(path: Path, dims: int) -> Tensor:
    """The uint8 array with `dims` dimensions in the IDX file `path`; a name that ends in .gz is decompressed.

    Raises:
        DataError: the file has a wrong checksum, is truncated or too long, or is another format.
    """
    verify_checksum(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return _read(path, cast(BinaryIO, stream), dims)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(path, f"broken or truncated file ({error}); fetch it again") from error


def _read(path: Path, stream: BinaryIO, dims: int) -> Tensor:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DataError(path, f"not an IDX file: it starts with {magic.hex(' ') or 'nothing'}, expected 00 00")
    if magic[2] != _UINT8:
        raise DataError(path, f"IDX data type 0x{magic[2]:02x}, expected 0x08 (unsigned bytes)")
    if magic[3] != dims:
        raise DataError(path, f"an IDX array of {magic[3]} dimensions, expected {dims}")
    header = stream.read(4 * dims)
    if len(header) < 4 * dims:
        raise DataError(path, "truncated inside the IDX header")
    shape = struct.unpack(f">{dims}I", header)
    size = prod(shape)
    if not 0 < size <= _MOST_BYTES:
        raise DataError(path, f"an IDX array of shape {shape}, expected 1 to {_MOST_BYTES} bytes")
    # One byte more than declared: finds what is too much, and makes gzip check its checksum at the end.
    data = stream.read(size + 1)
    if len(data) != size:
        found = f"only {len(data)}" if len(data) < size else "more"
        raise DataError(path, f"holds {found} bytes after the header, expected {size} for shape {shape}")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).reshape(shape)
