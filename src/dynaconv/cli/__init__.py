"""The command line: one module per verb, imported only when the verb is used."""

from __future__ import annotations

from dynaconv.cli.main import main

__all__ = ["main"]
