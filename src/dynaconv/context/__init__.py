"""Context: what the input says, `(B, C, *S)` → `(B, D)`, or `(B, D, *S_out)` where it is local."""

from dynaconv.context.average import global_average, left_window_average
from dynaconv.context.centre import centre_average
from dynaconv.context.grid import cell_averages, grid_average
from dynaconv.context.local import LocalContext

__all__ = [
    "LocalContext",
    "cell_averages",
    "centre_average",
    "global_average",
    "grid_average",
    "left_window_average",
]
