"""Reads the files of a published archive, from the .tar.gz or from the folder that it was extracted to."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dynaconv.data.checksums import verify_checksum
from dynaconv.errors import DataError

__all__ = ["Member", "read_members"]

# Larger than any file of the supported archives; keeps a hostile archive from filling the memory.
_MOST_BYTES = 1 << 28
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Member:
    """One file of an archive, in memory.

    Attributes:
        source: the archive or folder it is from.
        name: its name there, without folders.
        data: its bytes.
    """

    source: Path
    name: str
    data: bytes

    def error(self, problem: str) -> DataError:
        """The error that says that this file has `problem`."""
        return DataError(self.source, f"{self.name}: {problem}")


def read_members(source: Path, names: Collection[str]) -> dict[str, Member]:
    """The files `names` of `source`, a .tar.gz or a folder. Nothing is ever extracted.

    Raises:
        DataError: the archive is broken, has a wrong checksum, or lacks one of the files.
    """
    found = _from_folder(source, names) if source.is_dir() else _from_archive(source, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(source, f"lacks {', '.join(missing)}")
    return found


def _from_folder(source: Path, names: Collection[str]) -> dict[str, Member]:
    paths = {name: source / name for name in names if (source / name).is_file()}
    for path in paths.values():
        verify_checksum(path)
        _check_bytes(source, path.name, path.stat().st_size)
    return {name: Member(source, name, path.read_bytes()) for name, path in paths.items()}


def _from_archive(source: Path, names: Collection[str]) -> dict[str, Member]:
    verify_checksum(source)
    found: dict[str, Member] = {}
    try:
        with gzip.open(source) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for entry in archive:
                    name = entry.name.rpartition("/")[2]
                    content = archive.extractfile(entry) if name in names and entry.isreg() else None
                    if content is not None:
                        _check_bytes(source, name, entry.size)
                        found[name] = Member(source, name, content.read())
            # The tar may end before the stream does; only its end holds the checksum of the whole.
            while stream.read(_READ_BYTES):
                pass
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(source, f"broken or truncated archive ({error}); fetch it again") from error
    return found


def _check_bytes(source: Path, name: str, size: int) -> None:
    if size > _MOST_BYTES:
        raise DataError(source, f"{name}: {size} bytes, expected at most {_MOST_BYTES}")
