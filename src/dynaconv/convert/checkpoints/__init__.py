"""Published checkpoints: read without executing code, renamed, checked, loaded."""

from dynaconv.convert.checkpoints.load import load_published
from dynaconv.convert.checkpoints.read import read_state
from dynaconv.convert.checkpoints.source import Source
from dynaconv.convert.checkpoints.sources import SOURCES

__all__ = ["SOURCES", "Source", "load_published", "read_state"]
