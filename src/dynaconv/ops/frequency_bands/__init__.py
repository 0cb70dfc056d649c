"""Images split into frequency bands, each weighted by a map of gates."""

from dynaconv.ops.frequency_bands.api import modulate_bands

__all__ = ["modulate_bands"]
