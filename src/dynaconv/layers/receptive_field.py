"""What receptive-field attention convolutions share: the field, and a kernel that lies on it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import partial
from math import prod

import torch
from torch import Tensor, nn

from dynaconv import ops
from dynaconv.coefficients import (
    BranchBatchNorm,
    BranchNorm,
    CBAMFieldAttention,
    CoordinateFieldAttention,
    SoftmaxFieldAttention,
    position_norm,
)
from dynaconv.kernels import Kernel, StaticKernel, TapwiseKernel
from dynaconv.layers.base import DynamicConv, Init, check_init
from dynaconv.ops import receptive_field
from dynaconv.ops.checks import check_input
from dynaconv.ops.exported import is_exporting
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["ReceptiveFieldConv2d"]


class ReceptiveFieldConv2d(DynamicConv):
    """`y_{o,p} = Σ_{c,t} W_{o,c,t} a_{c,t,p} f_{c,t,p} + b_o` with the field `f_{c,t} = ReLU(norm(w_{c,t} * x_c))`.

    Every channel c is convolved with T kernels of its own; the kernel proper weighs what they find by an attention a,
    which a method computes. The authors lay the T features of a position side by side and convolve with a stride of the
    kernel's size; that is the same sum, and nothing is re-arranged here.

    So `kernel(x)` is a kernel on the field `(B, C·T, *S_out)`, not on x: taps `(B, C·T, 1, *S_out)` on a weight
    `(O, C/groups·T, 1, 1)`. `operands(x)` returns the field with it. The forward pass on a CPU makes neither: the field
    is T times the input's size, and moving it costs more than making it again, a few samples at a time.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`.
        norm: of the field, `"batch"` as published, `"layer"` or `None`.
    """

    attention: SoftmaxFieldAttention | CBAMFieldAttention | CoordinateFieldAttention

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints,
        padding: Padding,
        dilation: Ints,
        groups: int,
        bias: bool,
        padding_mode: PaddingMode,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        *,
        norm: BranchNorm,
    ) -> None:
        spec = ConvSpec.parse(
            in_channels,
            out_channels,
            kernel_size,
            dims=2,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        super().__init__(spec, bias=bias, device=device, dtype=dtype)
        features = spec.in_channels * spec.taps
        self.of_field = replace(spec, out_channels=features, groups=spec.in_channels)
        self.on_field = ConvSpec.parse(features, spec.out_channels, 1, dims=2, groups=spec.groups)
        self.field_weight = nn.Parameter(torch.empty(self.of_field.weight_shape, device=device, dtype=dtype))
        self.field_norm = position_norm(norm, features, device=device, dtype=dtype)
        self.weight = nn.Parameter(torch.empty(spec.weight_shape, device=device, dtype=dtype))

    @abstractmethod
    def factors(self, x: Tensor, pooled: Tensor | None) -> tuple[Tensor, Tensor]:
        """The two factors of the attention on `x: (B, C, *S)`, from what its attention pools of the field."""

    def start(self, init: Init, amount: float) -> None:
        """Initialise what is here.

        Args:
            init: `"scaled"` or `"published"`.
            amount: the attention at the start, which `"scaled"` makes up for.
        """
        if check_init(init) == "published":
            for weight in (self.field_weight, self.weight):
                nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
            return
        nn.init.kaiming_uniform_(self.field_weight, a=5**0.5)
        # nn.Conv2d's own start, larger by what attention and ReLU take from the field.
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        with torch.no_grad():
            self.weight.mul_(2**0.5 / amount)

    def field(self, x: Tensor) -> Tensor:
        """T features of every channel under the kernel at every position: `(B, C, *S)` → `(B, C, T, *S_out)`."""
        made = ops.conv(x, StaticKernel(self.field_weight), self.of_field)
        # In place: the field is T times the input's size, and no gradient needs what it was before.
        field: Tensor = self.field_norm(made).relu_().unflatten(1, (self.spec.in_channels, self.spec.taps))
        return field

    def attend(self, x: Tensor, field: Tensor) -> Tensor:
        """The amounts `(B, C, T, *S_out)` for the features `(B, C, T, *S_out)`."""
        pools = self.attention.pools
        laid_out = field.unflatten(2, self.spec.kernel_size)
        pooled = None if pools is None else receptive_field.pool(laid_out, pools)
        factors = self.factors(x, pooled)
        return receptive_field.amounts(*factors, softmax=self.attention.softmax).to(field.dtype)

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`{"taps": (B, C, T, *S_out)}`."""
        return {"taps": self.attend(x, self.field(x))}

    def assemble(self, coefficients: dict[str, Tensor]) -> TapwiseKernel:
        """The weight on the field under its taps."""
        on_field = self.weight.flatten(1)[..., None, None]
        return TapwiseKernel(on_field, coefficients["taps"].flatten(1, 2).unsqueeze(2), self.bias)

    def operands(self, x: Tensor) -> tuple[Tensor, Kernel, ConvSpec]:
        """The field, the kernel on it, and the geometry of that: a 1×1 convolution."""
        check_input(x, self.spec)
        field = self.field(x)
        return field.flatten(1, 2), self.assemble({"taps": self.attend(x, field)}), self.on_field

    def convolve(self, x: Tensor) -> Tensor:
        """The same without the field, where its normalisation is an affine map."""
        affine = isinstance(self.field_norm, BranchBatchNorm | nn.Identity)
        if not affine or x.device.type != "cpu" or is_exporting("auto"):
            return super().convolve(x)
        check_input(x, self.spec)
        made_by = self._normalised(x)
        pools = self.attention.pools
        pooled = None if pools is None else receptive_field.field_pool(x, *made_by, self.of_field, pools)
        factors, softmax = self.factors(x, pooled), self.attention.softmax
        return receptive_field.weighted_field_conv(
            x, *made_by, factors, self.weight, self.bias, self.spec, softmax=softmax
        )

    def _normalised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The field's kernels `(C·T, 1, *k)` with its normalisation taken in, and what is then added, `(C·T,)`."""
        weight, norm = self.field_weight, self.field_norm
        if not isinstance(norm, BranchBatchNorm):
            return weight, weight.new_zeros(len(weight))
        count = x.shape[0] * prod(self.spec.output_size(x.shape[2:]))
        statistics = partial(receptive_field.field_statistics, x, weight, self.of_field)
        scale, shift = norm.as_affine(count, statistics)
        return weight * scale[:, None, None, None], shift
