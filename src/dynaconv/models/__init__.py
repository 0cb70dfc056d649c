"""Models: networks by name, built from descriptions."""

from dynaconv.layers import LayerProfile, Profile, profile
from dynaconv.models.factory import create_model, list_models

__all__ = ["LayerProfile", "Profile", "create_model", "list_models", "profile"]
