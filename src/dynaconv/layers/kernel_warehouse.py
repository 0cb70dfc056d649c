"""KernelWarehouse: kernels put together from blocks, each a mixture of cells that several layers share."""

from __future__ import annotations

from inspect import signature
from typing import Any, ClassVar

import torch
from torch import Tensor

from dynaconv.coefficients import BranchNorm, ContrastingAttention
from dynaconv.context import global_average
from dynaconv.counts import hidden_channels
from dynaconv.errors import ArgumentError
from dynaconv.kernels import CellKernel, Warehouse
from dynaconv.layers.base import DynamicConv, Init
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["KernelWarehouseConv1d", "KernelWarehouseConv2d", "KernelWarehouseConv3d"]

_WAREHOUSE = "warehouse."


class _KernelWarehouseConvNd(DynamicConv):
    """KernelWarehouse in any number of dimensions; documented at `KernelWarehouseConv2d`."""

    dims: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        warehouse: Warehouse | None = None,
        budget: float = 1.0,
        cell_ratio: float | tuple[float, float] = 1.0,
        spatial_partition: bool = True,
        reduction: int = 16,
        min_hidden: int = 16,
        basis_ratio: float = 1.0,
        norm: BranchNorm = "batch",
        temperature: float = 0.0,
        init: Init = "scaled",
    ) -> None:
        spec = ConvSpec.parse(
            in_channels,
            out_channels,
            kernel_size,
            dims=self.dims,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        super().__init__(spec, bias=bias, device=device, dtype=dtype)
        options: dict[str, Any] = {
            "budget": budget,
            "cell_ratio": cell_ratio,
            "spatial_partition": spatial_partition,
            "init": init,
        }
        if warehouse is None:
            warehouse = Warehouse([spec.weight_shape], **options, device=device, dtype=dtype)
        else:
            _check_left_out(options)
        self.warehouse = warehouse
        self.borrows = warehouse.taken > 0
        shelf = warehouse.take(spec.weight_shape, groups)
        self._blocks, cells = shelf.blocks, len(warehouse.cells)
        hidden = hidden_channels(in_channels, reduction, min_hidden)
        self.attention = ContrastingAttention(
            in_channels,
            hidden,
            cells,
            shelf.assignment,
            shelf.cells,
            basis=_basis(basis_ratio, cells - len(shelf.cells)),
            norm=norm,
            temperature=temperature,
            device=device,
            dtype=dtype,
        )

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`{"mixture": (B, *P, Q, R, N)}`: every block's shares of the cells, see `CellKernel`."""
        return {"mixture": self.attention(global_average(x)).unflatten(1, self._blocks)}

    def assemble(self, coefficients: dict[str, Tensor]) -> CellKernel:
        """The cells with their shares."""
        cells = self.warehouse.cells
        return CellKernel(cells, coefficients["mixture"].to(cells.dtype), self.bias)

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """As in `nn.Module`, without a warehouse that stands with another layer."""
        state = super().state_dict(*args, destination=destination, prefix=prefix, keep_vars=keep_vars)
        if self.borrows:
            for key in [key for key in state if key.startswith(prefix + _WAREHOUSE)]:
                del state[key]
        return state

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        if self.borrows:
            # What the state dict leaves out is loaded with the layer that has it: here the cells stay as they are.
            own = self.warehouse.state_dict()
            state_dict.update({f"{prefix}{_WAREHOUSE}{key}": value for key, value in own.items()})
        super()._load_from_state_dict(state_dict, prefix, *args)


class KernelWarehouseConv1d(_KernelWarehouseConvNd):
    """`KernelWarehouseConv2d` over sequences."""

    dims = 1


class KernelWarehouseConv2d(_KernelWarehouseConvNd):
    """A convolution whose kernel is put together from blocks, each a mixture of the cells of a warehouse.

    `W_b = blocks (Σ_n α_bmn e_n)_m` with cells e that all blocks share and, where a `warehouse` is given, all layers
    that it is given to. The attention α is signed, see `ContrastingAttention`. At temperature 1 the layer is static
    and its blocks are cells of its own; training goes from 1 to 0 (`TemperatureSchedule`). A layer starts at 0, where
    trained ones are used.

    Cells of a shared warehouse stand in a state dict once, with the first layer that took a place in it. Alone, a
    layer has a warehouse for itself; a kernel of one tap then has more than one cell only with a `cell_ratio` below 1.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`.
        warehouse: shared with other layers; it brings the next three and `init` with it.
        budget: b, cells per block of the kernel: an integer, or one over an integer.
        cell_ratio: channels of a cell as a share of the kernel's; one number, or one for output and one for input.
        spatial_partition: whether a cell is a single tap; otherwise it has all taps.
        reduction: r; the attention's hidden width is max(I // r, `min_hidden`).
        min_hidden: the least hidden width.
        basis_ratio: below 1, scores of other layers' cells are mixed from so large a share of their number.
        norm: of the hidden layer, see `branch_norm`; the authors' is `"batch"`, and `"layer"` in ConvNeXt.
        temperature: τ, from 0 to 1.
        init: `"scaled"` starts the kernels of temperature 1 with a static convolution's variance (He, fan-out);
            `"published"` with less of it for b > 1 and for cells of fewer input channels than the kernel has.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Li, Yao, KernelWarehouse, ICML 2024, 2406.07879, and OSVAI/KernelWarehouse. Differs: training on one sample
    works; the temperature and the assignment of cells are saved.

    Example:
        >>> layer = KernelWarehouseConv2d(16, 32, 3, padding=1, budget=2, cell_ratio=0.5)
        >>> layer(torch.randn(2, 16, 8, 8)).shape, layer.warehouse.cells.shape
        (torch.Size([2, 32, 8, 8]), torch.Size([72, 16, 8, 1, 1]))
    """

    dims = 2


class KernelWarehouseConv3d(_KernelWarehouseConvNd):
    """`KernelWarehouseConv2d` over volumes."""

    dims = 3


def _check_left_out(options: dict[str, Any]) -> None:
    """Raise if an option that a shared warehouse brings with it is given beside it."""
    defaults = signature(Warehouse).parameters
    for name, value in options.items():
        if value != defaults[name].default:
            raise ArgumentError(name, value, f"{defaults[name].default!r} beside a warehouse, which has its own")


def _basis(ratio: float, others: int) -> int | None:
    """How many scores those of the other layers' cells are mixed from; `None` where each has its own."""
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio <= 1:
        raise ArgumentError("basis_ratio", ratio, "a number above 0, up to 1")
    return None if ratio == 1 or others == 0 else max(int(others * ratio), 16)
