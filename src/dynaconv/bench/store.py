"""Finished measurements, one file each, so that an interrupted benchmark goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dynaconv
from dynaconv.atomic import write_json
from dynaconv.errors import RunFolderError

__all__ = ["Store", "source_digest", "write_file"]

_CODE = (
    *("attention", "bench", "coefficients", "context", "dispatch", "kernels", "layers", "models", "native", "ops"),
    "pooling",
)


class Store:
    """The measurements of one machine, one state of the code and one set of settings.

    Args:
        folder: where the files are; made when the first one is written.
        identity: what a measurement depends on besides its case; files of another identity are not seen.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self._folder = folder
        self._identity = _digest(json.dumps(identity, sort_keys=True))

    def get(self, name: str) -> dict[str, Any] | None:
        """What was put under a name; `None` if nothing was, or the file cannot be read."""
        try:
            content = json.loads(self._path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def put(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a measurement.

        Raises:
            RunFolderError: if it cannot be written.
        """
        path = self._path(name)
        write_file(path, lambda: write_json(path, content))

    def _path(self, name: str) -> Path:
        return self._folder / f"{_digest(name)}-{self._identity}.json"


def write_file(path: Path, write: Callable[[], None]) -> None:
    """Write a file, its folder made first.

    Raises:
        RunFolderError: if that is not possible.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write()
    except OSError as error:
        raise RunFolderError(
            path, f"cannot be written: {error.strerror or error}; choose another folder with --out"
        ) from error


def source_digest() -> str:
    """Of all code that a measurement depends on: what was measured with other code is measured again."""
    root = Path(dynaconv.__file__).parent
    files = sorted(f for package in _CODE for f in (root / package).rglob("*") if f.suffix in (".py", ".so"))
    return _digest("".join(f"{file.relative_to(root)} {_digest(file.read_bytes())}\n" for file in files))


def _digest(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:12]
