"""Models: networks by name, built from descriptions."""

from dynaconv.models.factory import create_model, list_models
from dynaconv.models.profile import LayerProfile, Profile, profile

__all__ = ["LayerProfile", "Profile", "create_model", "list_models", "profile"]
