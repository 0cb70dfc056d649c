"""What receptive-field attention convolutions share: the field, and a kernel that lies on it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import torch
from torch import Tensor, nn

from dynaconv import ops
from dynaconv.coefficients import BranchNorm, position_norm
from dynaconv.kernels import Kernel, StaticKernel, TapwiseKernel
from dynaconv.layers.base import DynamicConv, Init, check_init
from dynaconv.ops.checks import check_input
from dynaconv.spec import ConvSpec

__all__ = ["ReceptiveFieldConv2d"]


class ReceptiveFieldConv2d(DynamicConv):
    """`y_{o,p} = Σ_{c,t} W_{o,c,t} a_{c,t,p} f_{c,t,p} + b_o` with the field `f_{c,t} = ReLU(norm(w_{c,t} * x_c))`.

    Every channel c is convolved with T kernels of its own; the kernel proper weighs what they find by an attention a,
    which a method computes. The authors lay the T features of a position side by side and convolve with a stride of the
    kernel's size; that is the same sum, and nothing is re-arranged here.

    So `kernel(x)` is a kernel on the field `(B, C·T, *S_out)`, not on x: taps `(B, C·T, 1, *S_out)` on a weight
    `(O, C/groups·T, 1, 1)`. `operands(x)` returns the field with it.

    Args:
        spec: the geometry of a convolution of x, in two dimensions.
        bias: as in `nn.Conv2d`.
        norm: of the field, `"batch"` as published, `"layer"` or `None`.
        device: where the parameters live.
        dtype: their type.
    """

    def __init__(
        self,
        spec: ConvSpec,
        *,
        bias: bool,
        norm: BranchNorm,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(spec, bias=bias, device=device, dtype=dtype)
        features = spec.in_channels * spec.taps
        self.of_field = replace(spec, out_channels=features, groups=spec.in_channels)
        self.on_field = ConvSpec.parse(features, spec.out_channels, 1, dims=2, groups=spec.groups)
        self.field_weight = nn.Parameter(torch.empty(self.of_field.weight_shape, device=device, dtype=dtype))
        self.field_norm = position_norm(norm, features, device=device, dtype=dtype)
        self.weight = nn.Parameter(torch.empty(spec.weight_shape, device=device, dtype=dtype))

    @abstractmethod
    def attend(self, x: Tensor, field: Tensor) -> Tensor:
        """The amounts `(B, C, T, *S_out)` for the features `(B, C, T, *S_out)`."""

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
