"""How each of PyTorch's operators passes reach on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, prod
from typing import Any

import torch
from torch import Tensor

from dynaconv.analysis.receptive_field_reach import Reach, resampled, windows

__all__ = ["RULES", "Call", "elementwise", "merged", "whole"]


class Call:
    """One operator call: its arguments by name, the reaches of its tensors, its result.

    Args:
        func: the operator.
        args: positional arguments.
        kwargs: the other arguments.
        result: what it gave.
        reach_of: reach of a tensor, or `None` where it does not depend on the image.
        context: whether what is broadcast over the map counts.
    """

    def __init__(
        self,
        func: Any,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        result: Any,
        reach_of: Callable[[Any], Reach | None],
        context: bool,
    ) -> None:
        names = [a.name for a in func._schema.arguments]
        defaults = {a.name: a.default_value for a in func._schema.arguments if a.has_default_value()}
        self.func, self.context, self.reach_of = func, context, reach_of
        self.given = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
        self.args, self.kwargs = args, kwargs
        self.out: Tensor = result if isinstance(result, Tensor) else next(t for t in result if isinstance(t, Tensor))

    def reach(self, name: str) -> Reach | None:
        """The reach of the tensor argument called so."""
        return self.reach_of(self.given.get(name))

    def main(self) -> Reach:
        """The reach of the first argument that has one."""
        return next(r for r in map(self.reach_of, _flat(self.given.values())) if r is not None)

    def picks(self) -> bool:
        """Whether the image decides which elements are taken: an index or a mask depends on it."""
        tensors = [t for t in _flat(self.given.values()) if isinstance(t, Tensor) and self.reach_of(t) is not None]
        return any(not (t.is_floating_point() or t.is_complex()) for t in tensors)

    def all(self) -> list[Reach]:
        """The reaches of all arguments that have one."""
        return [r for r in map(self.reach_of, _flat(self.given.values())) if r is not None]


def _flat(values: Any) -> list[Any]:
    return [v for value in values for v in (value if isinstance(value, list | tuple) else [value])]


def merged(reaches: Sequence[Reach], shape: Sequence[int]) -> Reach:
    """Every element depends on the arguments' elements in its place, arguments broadcast."""
    axes = reaches[0].axes
    bounds = None
    for reach in reaches:
        rank = len(shape) - reach.bounds.dim() + 1
        aligned = reach.bounds.reshape(2 * axes, *(1,) * rank, *reach.bounds.shape[1:]).expand(-1, *shape)
        bounds = aligned if bounds is None else torch.maximum(bounds, aligned)
    assert bounds is not None
    return Reach(bounds, _step(reaches))


def _step(reaches: Sequence[Reach]) -> tuple[float, ...]:
    """The steps of the map with the most units."""
    rank = reaches[0].axes + 3
    return max(reaches, key=lambda r: prod(r.bounds.shape[3:]) if r.bounds.dim() == rank else 0).step


def elementwise(call: Call) -> Reach:
    """Without context, an argument that is one value for the whole map says nothing about where an element looks."""
    tensors = [t for t in _flat(call.given.values()) if call.reach_of(t) is not None]
    axes = call.main().axes
    if not call.context and call.out.dim() == axes + 2:
        tensors = [t for t in tensors if _units(t, axes) > 1] or tensors
    return merged([r for r in map(call.reach_of, tensors) if r is not None], call.out.shape)


def _units(tensor: Tensor, axes: int) -> int:
    """Positions of a map that a tensor has values of its own for."""
    sides = [1 if stride == 0 else n for n, stride in zip(tensor.shape, tensor.stride(), strict=True)]
    return prod(sides[-axes:])


def whole(reaches: Sequence[Reach], shape: Sequence[int]) -> Reach:
    """Every element depends on all elements of all arguments."""
    return merged([r.with_bounds(r.bounds.reshape(2 * r.axes, -1).amax(1)) for r in reaches], shape)


def _convolution(call: Call) -> Reach:
    reach, given, out = call.reach("input"), call.given, call.out
    weights = [r for r in (call.reach("weight"), call.reach("bias")) if r is not None]
    taps, groups = tuple(given["weight"].shape[2:]), given["groups"]
    if reach is None:
        return whole(weights, out.shape)
    stride, padding, dilation = (_numbers(given[k], len(taps)) for k in ("stride", "padding", "dilation"))
    by_group = reach.with_bounds(reach.bounds.unflatten(2, (groups, -1)).amax(3))
    if given["transposed"]:
        found = _transposed(by_group, taps, stride, padding, dilation, out.shape[2:])
    else:
        found = windows(by_group, taps, stride, [(p, p) for p in padding], dilation, out.shape[2:])
    channels = found.bounds.unsqueeze(3).expand(-1, -1, -1, out.shape[1] // groups, *out.shape[2:]).flatten(2, 3)
    found = found.with_bounds(channels)
    return merged([found, whole(weights, out.shape)], out.shape) if weights and call.context else found


def _transposed(
    reach: Reach, taps: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], size: Any
) -> Reach:
    """Unit j of the output depends on the inputs i with `j = i · stride − padding + tap · dilation`."""
    sources = []
    for k, s, p, d, n, m in zip(taps, stride, padding, dilation, reach.bounds.shape[3:], size, strict=True):
        places = [[(j + p - t * d) // s for t in range(k) if (j + p - t * d) % s == 0] for j in range(m)]
        inside = [[i for i in found if 0 <= i < n] for found in places]
        # A unit that no tap lands on takes its neighbour's place.
        near = [min(n - 1, max(0, (j + p) // s)) for j in range(m)]
        sources.append([range(min(i), max(i) + 1) if i else range(c, c + 1) for i, c in zip(inside, near, strict=True)])
    return resampled(reach, sources)


def _numbers(value: Any, dims: int) -> tuple[int, ...]:
    """One integer per spatial dimension; an empty list is what PyTorch passes for "as the kernel"."""
    return tuple(value) * dims if len(value) == 1 else tuple(value)


def _pool(call: Call) -> Reach:
    given = call.given
    dims = call.out.dim() - 2
    taps = _numbers(given["kernel_size"], dims)
    stride = _numbers(given["stride"], dims) or taps
    dilation = _numbers(given.get("dilation", (1,)), dims)
    padding = [(p, p) for p in _numbers(given["padding"], dims)]
    return windows(call.main(), taps, stride, padding, dilation, call.out.shape[2:])


def _adaptive(call: Call) -> Reach:
    reach = call.main()
    sizes = zip(reach.bounds.shape[3:], call.out.shape[2:], strict=True)
    return resampled(reach, [[range(j * n // m, ceil((j + 1) * n / m)) for j in range(m)] for n, m in sizes])


def _upsample(call: Call) -> Reach:
    """Each unit of a resized map depends on its nearest one, two (linear) or four (cubic) units."""
    reach, name = call.main(), call.func._schema.name
    sources = []
    for n, m in zip(reach.bounds.shape[3:], call.out.shape[2:], strict=True):
        if "nearest" in name:
            places = [(min(n - 1, j * n // m),) * 2 for j in range(m)]
        else:
            extra = 1 if "cubic" in name else 0
            corners = bool(call.given["align_corners"])
            real = [j * (n - 1) / max(m - 1, 1) if corners else (j + 0.5) * n / m - 0.5 for j in range(m)]
            places = [(floor(r) - extra, ceil(r) + extra) if r % 1 else (int(r), int(r)) for r in real]
        sources.append([range(min(n - 1, max(0, a)), max(0, min(n - 1, b)) + 1) for a, b in places])
    return resampled(reach, sources)


def _pad(call: Call) -> Reach:
    """Padding of every kind is more image; what is cut off is cut off."""
    reach = call.main()
    widths: Sequence[int] = call.given["pad"] if "pad" in call.given else call.given["padding"]
    dims = reach.bounds.dim() - 3
    pairs = [(0, 0)] * dims
    for i in range(len(widths) // 2):
        pairs[dims - 1 - i] = (widths[2 * i], widths[2 * i + 1])
    if len(widths) // 2 > dims:
        return whole([reach], call.out.shape)
    ones = (1,) * dims
    return Reach(windows(reach, ones, ones, pairs, ones, call.out.shape[2:]).bounds, reach.step)


def _moved(call: Call) -> Reach | list[Reach]:
    """Operators that only put elements elsewhere are applied to the bounds themselves."""
    reaches = call.all()
    rows = [call.func(*_row(call, call.args, i), **_row(call, call.kwargs, i)) for i in range(2 * reaches[0].axes)]
    step = _step(reaches)
    if isinstance(rows[0], Tensor):
        return Reach(torch.stack(rows), step).measured()
    return [Reach(torch.stack(parts), step).measured() for parts in zip(*rows, strict=True)]


def _row(call: Call, value: Any, row: int) -> Any:
    """An argument with one of its bounds in every tensor's place; what depends on nothing reaches nowhere."""
    if isinstance(value, dict):
        return {name: _row(call, part, row) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_row(call, part, row) for part in value]
    reach = call.reach_of(value)
    if reach is not None:
        return reach.bounds[row]
    return torch.full_like(value, -torch.inf) if isinstance(value, Tensor) and value.is_floating_point() else value


def _shaped(call: Call) -> Reach:
    reach = call.main()
    return reach.with_bounds(reach.bounds.reshape(-1, *call.out.shape))


def _dims(call: Call) -> list[int]:
    """Dimensions of the bounds that a reduction is over."""
    rank = call.main().bounds.dim() - 1
    dims = call.given.get("dim")
    dims = list(range(rank)) if dims is None or dims == [] else [dims] if isinstance(dims, int) else list(dims)
    return [d % rank + 1 for d in dims]


def _reduced(call: Call) -> Reach:
    reach, dims = call.main(), _dims(call)
    bounds = reach.bounds.amax(dims, keepdim=True)
    is_map = reach.bounds.dim() == reach.axes + 3
    step = [s * (reach.bounds.shape[3 + a] if is_map and 3 + a in dims else 1) for a, s in enumerate(reach.step)]
    return Reach(bounds.reshape(-1, *call.out.shape), tuple(step))


def _spread(call: Call) -> Reach:
    """Each element depends on all those along a dimension."""
    reach = call.main()
    return reach.with_bounds(reach.bounds.amax(_dims(call), keepdim=True).expand(-1, *call.out.shape))


def _normalised(call: Call) -> Reach:
    """Each element depends on all that it is normalised with; statistics taken over the map are context."""
    reach = call.main()
    rank = reach.bounds.dim() - 1
    trailing = len(call.given["normalized_shape"]) if "normalized_shape" in call.given else rank - 1
    along = {1 + dim for axis in range(reach.axes) for dim in reach.moving(axis)}
    counted = [dim for dim in range(rank - trailing + 1, rank + 1) if call.context or dim not in along]
    return reach.with_bounds(reach.bounds.amax(counted, keepdim=True).expand_as(reach.bounds)) if counted else reach


def _product(call: Call) -> Reach:
    """Row times column: all that either depends on."""
    given, axes = call.given, call.main().axes
    left = given.get("mat1", given.get("batch1", given.get("self")))
    right = given.get("mat2", given.get("batch2"))
    found = []
    for tensor, dim in ((left, -1), (right, -2)):
        reach = call.reach_of(tensor)
        if reach is not None:
            found.append(reach.with_bounds(reach.bounds.amax(dim, keepdim=True)))
    added = call.reach("self") if "mat1" in given or "batch1" in given else None
    assert all(r.axes == axes for r in found)
    return merged([*found, *([added] if added else [])], call.out.shape)


def _attention(call: Call) -> Reach:
    """Every query looks at all keys and values."""
    found = []
    for name, dims in (("query", [-1]), ("key", [-1, -2]), ("value", [-1, -2])):
        reach = call.reach(name)
        if reach is not None:
            found.append(reach.with_bounds(reach.bounds.amax(dims, keepdim=True)))
    return merged(found, call.out.shape)


Rule = Callable[[Call], Reach | list[Reach]]

_BY_RULE: dict[Rule, str] = {
    # Most element-wise operators say that they are; these do not.
    elementwise: "hardswish hardsigmoid mish prelu _prelu_kernel rrelu softshrink celu selu copy",
    _convolution: "convolution",
    _pool: "max_pool1d max_pool2d_with_indices max_pool3d_with_indices max_pool2d max_pool3d avg_pool1d avg_pool2d "
    "avg_pool3d",
    _adaptive: "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d adaptive_avg_pool1d",
    _upsample: "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact2d upsample_linear1d "
    "upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa",
    _pad: "constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
    "replication_pad3d",
    _moved: "cat stack repeat roll flip pixel_shuffle pixel_unshuffle channel_shuffle index_select index select slice "
    "squeeze unsqueeze permute transpose t expand unbind split split_with_sizes unfold narrow im2col",
    _shaped: "view _unsafe_view reshape _reshape_alias alias detach clone lift_fresh contiguous native_dropout "
    "_to_copy native_batch_norm _native_batch_norm_legit_no_training cudnn_batch_norm miopen_batch_norm",
    _reduced: "mean sum amax amin max min var std var_mean logsumexp linalg_vector_norm norm prod",
    _spread: "_softmax _log_softmax softmax cumsum sort",
    _normalised: "native_layer_norm native_group_norm",
    _product: "mm bmm addmm baddbmm",
    _attention: "scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu "
    "_scaled_dot_product_attention_math _scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention",
}

RULES: dict[str, Rule] = {f"aten::{n}": rule for rule, names in _BY_RULE.items() for n in names.split()}
