"""Models kept and shared: weights with a description of how the model was made, in a file, a folder, or on a hub."""

from dynaconv.hub.publish import from_pretrained, push_to_hub
from dynaconv.hub.save import load, read_info, save
from dynaconv.hub.timm_names import register_with_timm

__all__ = ["from_pretrained", "load", "push_to_hub", "read_info", "register_with_timm", "save"]
