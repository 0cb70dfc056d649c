"""Files that are whole or absent: written under a temporary name, flushed to the disk, then moved."""

from __future__ import annotations

import json
import os
from pathlib import Path

__all__ = ["sync_folder", "write_bytes", "write_json", "write_temporary"]


def write_temporary(path: Path, content: bytes) -> Path:
    """Writes and flushes `content` to a temporary name beside `path`; returns that name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` to `path`; a reader, or a power cut, sees the old file or the new one, never a part."""
    write_temporary(path, content).replace(path)
    sync_folder(path.parent)


def write_json(path: Path, content: object) -> None:
    """Writes `content` as indented JSON, whole or not at all."""
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def sync_folder(folder: Path) -> None:
    """Flushes a folder's entries, without which a move may be lost in a power cut."""
    if os.name != "posix":  # other systems cannot open folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
