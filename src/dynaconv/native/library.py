"""Loads the compiled kernels, once, and says why they are off where they are."""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch

from dynaconv.errors import AlgorithmError, ArgumentError

__all__ = ["Problem", "Status", "available", "force_instruction_set", "library", "load", "status", "why_off"]

PATH = Path(__file__).with_name("_fused.so")
INTERFACE_VERSION = 6
SWITCH = "DYNACONV_NATIVE"
INSTRUCTION_SETS = ("avx512", "avx2", "portable", "neon")


class Problem(ctypes.Structure):
    """Sizes of one convolution, field by field as in native/problem.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("samples", "experts", "groups", "tap_groups")),
        *((name, ctypes.c_int64) for name in ("in_channels", "out_channels")),
        *((name, ctypes.c_int64 * 3) for name in ("in_size", "out_size", "kernel", "stride", "pad", "dilation")),
        *((name, ctypes.c_int64) for name in ("half", "plain_bank", "threads")),
    )


@dataclass(frozen=True)
class Status:
    """Whether the fused kernels run.

    Attributes:
        state: `"on"`; `"disabled"` by the environment; `"absent"`: built without a compiler; `"broken"`: there is a
            binary that cannot be used.
        reason: why they are off, with the remedy; empty where they are on.
        instruction_set: the one in use; empty where they are off.
    """

    state: Literal["on", "disabled", "absent", "broken"]
    reason: str = ""
    instruction_set: str = ""

    def __str__(self) -> str:
        return self.instruction_set if self.state == "on" else f"off ({self.state}): {self.reason}"


def load(path: Path, wanted: str = "") -> tuple[ctypes.CDLL | None, Status]:
    """The library at `path` with its functions declared, or `None`, and the status that follows.

    Args:
        path: the compiled library.
        wanted: `"off"`, the name of an instruction set to force, or empty for the best.

    Raises:
        ArgumentError: `wanted` is none of these.
    """
    if wanted and wanted not in ("off", *INSTRUCTION_SETS):
        raise ArgumentError(SWITCH, wanted, f"off, {', '.join(INSTRUCTION_SETS)}, or unset")
    if wanted == "off":
        return None, Status("disabled", f"{SWITCH}=off is set")
    if not path.exists():
        return None, Status("absent", f"{path} was not built; install a C++ compiler, then dynaconv again")
    if _truncated(path):
        return None, Status("broken", f"{path} is cut short; install dynaconv again")
    try:
        found = ctypes.CDLL(str(path))
        version = found.dynaconv_interface_version()
    except (OSError, AttributeError) as error:
        return None, Status("broken", f"{path} does not load ({error}); install dynaconv again")
    if version != INTERFACE_VERSION:
        text = f"{path} has interface {version}, not {INTERFACE_VERSION}; install dynaconv again"
        return None, Status("broken", text)
    found.dynaconv_isa.restype = ctypes.c_char_p
    found.dynaconv_packed_floats.restype = ctypes.c_int64
    found.dynaconv_packed_cell_floats.restype = ctypes.c_int64
    found.dynaconv_fingerprint.restype = ctypes.c_uint64
    if wanted and not found.dynaconv_force_isa(wanted.encode()):
        return None, Status("disabled", f"{SWITCH}={wanted}, which this processor cannot run")
    return found, Status("on", instruction_set=found.dynaconv_isa().decode())


def _truncated(path: Path) -> bool:
    """Whether an ELF library ends before its section table does: loading it would kill the process."""
    with path.open("rb") as file:
        header = file.read(64)
    if len(header) < 64 or not header.startswith(b"\x7fELF\x02\x01"):
        return False
    start, size, count = *struct.unpack_from("<Q", header, 40), *struct.unpack_from("<HH", header, 58)
    return bool(path.stat().st_size < start + size * count)


@cache
def _loaded() -> tuple[ctypes.CDLL | None, Status]:
    return load(PATH, os.environ.get(SWITCH, ""))


def status() -> Status:
    """Whether the fused kernels run, with which instruction set, or why not."""
    found, loaded = _loaded()
    return loaded if found is None else Status("on", instruction_set=found.dynaconv_isa().decode())


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]  # has no annotations
def why_off() -> str:
    """The status where the fused kernels do not run, else nothing; a compiler takes it as it is while tracing."""
    return str(status()) if status().state != "on" else ""


def available() -> bool:
    """Whether the fused kernels run."""
    return _loaded()[0] is not None


def library() -> ctypes.CDLL:
    """The loaded library.

    Raises:
        AlgorithmError: it is off; the message says why.
    """
    found, loaded = _loaded()
    if found is None:
        raise AlgorithmError("native", [str(loaded)])
    return found


def force_instruction_set(name: str | None) -> None:
    """Use one instruction set from now on: `"avx512"`, `"avx2"`, `"portable"`, `"neon"`; `None` for the best.

    Raises:
        AlgorithmError: the kernels are off.
        ArgumentError: the name is unknown, or this processor cannot run it.
    """
    if not library().dynaconv_force_isa(None if name is None else name.encode()):
        raise ArgumentError("name", name, f"one of {', '.join(INSTRUCTION_SETS)} that this processor runs, or None")
