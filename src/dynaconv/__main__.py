"""`python -m dynaconv`: the command line."""

from __future__ import annotations

from dynaconv.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    raise SystemExit(main())
