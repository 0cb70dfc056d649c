"""The sources by name: one file each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dynaconv.convert.checkpoints import attention_module, fast_mpn_cov, gsop
from dynaconv.convert.checkpoints.source import Source

__all__ = ["SOURCES"]

_ALL: tuple[Source, ...] = (attention_module.SOURCE, fast_mpn_cov.SOURCE, gsop.SOURCE)

SOURCES: Mapping[str, Source] = MappingProxyType({source.name: source for source in _ALL})
