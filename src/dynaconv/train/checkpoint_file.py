"""Checkpoint files: a `torch.save` archive followed by its SHA-256, so that a torn file is known as such."""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from dynaconv.atomic import sync_folder, write_temporary
from dynaconv.errors import CheckpointError

__all__ = ["read_checkpoint", "rotate_in"]

_MARK = b"dynaconv sha256:"
_FOOTER = len(_MARK) + 64


def rotate_in(path: Path, previous: Path, checkpoint: dict[str, Any]) -> None:
    """Writes `checkpoint` to `path`; what `path` held moves to `previous`. At every moment one of them is whole."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    content = buffer.getvalue()
    temporary = write_temporary(path, content + _MARK + hashlib.sha256(content).hexdigest().encode())
    if path.exists():
        path.replace(previous)
    temporary.replace(path)
    sync_folder(path.parent)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The checkpoint in `path`, on the CPU; nothing in the file is executed.

    Raises:
        CheckpointError: if the file is missing, torn, changed, or not a checkpoint of dynaconv.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(path, f"cannot be read: {error.strerror}") from error
    body, footer = content[:-_FOOTER], content[-_FOOTER:]
    if not footer.startswith(_MARK):
        raise CheckpointError(path, "torn, or not a checkpoint of dynaconv: it does not end in a checksum")
    found = hashlib.sha256(body).hexdigest()
    expected = footer[len(_MARK) :].decode(errors="replace")
    if found != expected:
        raise CheckpointError(path, f"damaged: expected SHA-256 {expected[:16]}..., found {found[:16]}...")
    try:
        checkpoint = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise CheckpointError(path, f"cannot be loaded: {str(error).splitlines()[0]}") from error
    if not isinstance(checkpoint, dict) or "dynaconv" not in checkpoint:
        raise CheckpointError(path, "not a checkpoint of dynaconv")
    return checkpoint
