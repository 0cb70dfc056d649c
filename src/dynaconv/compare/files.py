"""Result files: written whole or not at all, and comparisons as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from dynaconv.atomic import write_bytes
from dynaconv.compare.results import Comparison, Entry, EntryResult, EpochPoint, SeedRun
from dynaconv.errors import DataError, RunFolderError

__all__ = ["load_comparison", "save_comparison", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Write `text` to a temporary file beside `path`, then move it there; makes the folder if needed.

    Raises:
        RunFolderError: if that is not possible.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, text.encode())
    except OSError as error:
        raise RunFolderError(path, f"cannot be written ({error.strerror or error})") from error


def save_comparison(comparison: Comparison, path: Path) -> None:
    """Write `comparison` as JSON.

    Raises:
        RunFolderError: if that is not possible.
    """
    write_text(path, json.dumps(asdict(comparison), indent=2) + "\n")


def load_comparison(path: Path) -> Comparison:
    """The comparison that `save_comparison` wrote.

    Raises:
        DataError: if the file cannot be read or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        results = tuple(
            EntryResult(
                Entry(**result["entry"]),
                tuple(
                    SeedRun(**{**run, "history": tuple(EpochPoint(**point) for point in run["history"])})
                    for run in result["runs"]
                ),
            )
            for result in content["results"]
        )
        return Comparison(content["data"], content["epochs"], tuple(content["seeds"]), results)
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(path, f"not a saved comparison ({error})") from error
