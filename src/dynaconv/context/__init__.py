"""Context: what the input says, `(B, C, *S)` → `(B, D)`."""

from dynaconv.context.average import global_average, left_window_average

__all__ = ["global_average", "left_window_average"]
