"""What every call of the compiled kernels needs: maps as they read and write them, sizes, addresses."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.native.library import Problem, library, why_off
from dynaconv.spec import ConvSpec

__all__ = [
    "call",
    "channels_last",
    "empty_map",
    "images",
    "layout_of",
    "plain",
    "problem_of",
    "reasons_against",
    "reasons_against_image",
]


def reasons_against(spec: ConvSpec, dtype: str, device: str, *dtypes: str) -> tuple[str, ...]:
    """The reasons why kernels for numbers of some types cannot run on a problem; empty where they can.

    Args:
        spec: the geometry.
        dtype: the numbers' type, as torch names it.
        device: the device's type.
        *dtypes: the types that the kernels know.
    """
    off = why_off()
    facts = {
        f"native kernels are {off}": off != "",
        f"padding_mode={spec.padding_mode!r}: only zeros": spec.padding_mode != "zeros",
        f"{dtype} on {device}: only {' and '.join(dtypes)} on the CPU": dtype not in dtypes or device != "cpu",
    }
    return tuple(reason for reason, holds in facts.items() if holds)


def reasons_against_image(x: Tensor) -> tuple[str, ...]:
    """The reasons why kernels that take float32 images on the CPU cannot run on x; empty where they can."""
    off = why_off()
    facts = {
        f"native kernels are {off}": off != "",
        f"{x.dtype} on {x.device}: only float32 on the CPU": x.dtype != torch.float32 or x.device.type != "cpu",
        f"x of {tuple(x.shape)}: only with samples, channels and pixels": x.numel() == 0,
    }
    return tuple(reason for reason, holds in facts.items() if holds)


def channels_last(x: Tensor) -> Tensor:
    """`(B, C, *S)` as `(B, *S, C)`, contiguous: a copy unless `x` lies in memory like that already."""
    return x.detach().movedim(1, -1).contiguous()


def empty_map(like: Tensor, channels: int, size: Sequence[int]) -> Tensor:
    """Uninitialised `(B, C, *S)`, channels-last, with the samples and the type of `like`."""
    return torch.empty(like.shape[0], *size, channels, dtype=like.dtype).movedim(-1, 1)


def plain(tensor: Tensor | None) -> Tensor | None:
    """Contiguous and float32."""
    return None if tensor is None else tensor.detach().float().contiguous()


def layout_of(x: Tensor) -> torch.memory_format:
    """How `x: (B, C, H, W)` lies in memory, of the two layouts that kernels for images read and write."""
    last = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def images(x: Tensor, layout: torch.memory_format) -> Tensor:
    """`(B, C, H, W)` in a layout: a copy unless `x` lies in memory like that already."""
    return x.detach().contiguous(memory_format=layout)


def problem_of(x: Tensor, spec: ConvSpec, *, experts: int = 1, tap_groups: int = 1) -> Problem:
    """The sizes as the kernels take them.

    Args:
        x: the input.
        spec: the geometry.
        experts: K.
        tap_groups: G of a convolution whose taps are weighted per pixel.
    """
    size = tuple(x.shape[2:])
    return Problem(
        samples=x.shape[0],
        experts=experts,
        groups=spec.groups,
        tap_groups=tap_groups,
        in_channels=spec.in_channels,
        out_channels=spec.out_channels,
        in_size=_three(size, 1),
        out_size=_three(spec.output_size(size), 1),
        kernel=_three(spec.kernel_size, 1),
        stride=_three(spec.stride, 1),
        pad=_three(tuple(before for before, _ in spec.pads), 0),
        dilation=_three(spec.dilation, 1),
        half=x.dtype == torch.bfloat16,
        threads=torch.get_num_threads(),
    )


def call(name: str, problem: ctypes.Structure, *arguments: object) -> None:
    """Call `dynaconv_NAME`; tensors as addresses of numbers that lie side by side and live until it returns."""
    given = (_address(a) if a is None or isinstance(a, Tensor) else a for a in arguments)
    getattr(library(), f"dynaconv_{name}")(ctypes.byref(problem), *given)


def _address(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _three(numbers: tuple[int, ...], missing: int) -> ctypes.Array[ctypes.c_int64]:
    """One number for depth, height and width."""
    return (ctypes.c_int64 * 3)(*(missing,) * (3 - len(numbers)), *numbers)
