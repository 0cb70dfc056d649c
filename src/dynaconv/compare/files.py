"""Writing a result file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from dynaconv.errors import RunFolderError

__all__ = ["write_text"]


def write_text(path: Path, text: str) -> None:
    """Write `text` to a temporary file beside `path`, then move it there; makes the folder if needed.

    Raises:
        RunFolderError: if that is not possible.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise RunFolderError(path, f"cannot be written ({error.strerror or error})") from error
