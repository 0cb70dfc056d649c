"""MD5 checks of data files: published files are known by name and size; `NAME.md5` beside a file is honoured."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from dynaconv.errors import DataError

__all__ = ["verify_checksum"]

# Published files: name -> (bytes, MD5). Only a file of that very size claims to be the published one.
_PUBLISHED = {
    "cifar-10-binary.tar.gz": (170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),
    "cifar-10-python.tar.gz": (170_498_071, "c58f30108f718f92721af3b95e74349a"),
    "cifar-100-binary.tar.gz": (168_513_733, "03b5dce01913d631647c71ecec9e9cb8"),
    "cifar-100-python.tar.gz": (169_001_437, "eb9058c3a382ffc7106e4002c42a8d85"),
    "train_32x32.mat": (182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373"),
    "test_32x32.mat": (64_275_384, "eb5a983be6a315427106f1b164d9cef3"),
    "train-images-idx3-ubyte.gz": (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    "train-labels-idx1-ubyte.gz": (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
    "t10k-images-idx3-ubyte.gz": (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
    "t10k-labels-idx1-ubyte.gz": (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
}


def verify_checksum(path: Path) -> None:
    """Checks `path` against `path` + ".md5" if that file exists, else against the published MD5 if it is known.

    Raises:
        DataError: the MD5 is another one, or the .md5 file holds none.
    """
    beside = path.with_name(path.name + ".md5")
    if beside.is_file():
        expected = _read_md5(beside)
    elif path.name in _PUBLISHED and path.stat().st_size == _PUBLISHED[path.name][0]:
        expected = _PUBLISHED[path.name][1]
    else:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != expected:
        raise DataError(path, f"wrong checksum: expected MD5 {expected}, found {found}; fetch the file again")


def _read_md5(path: Path) -> str:
    """The MD5 in a file as `md5sum` writes it, or alone."""
    match = re.match(r"\\?([0-9a-fA-F]{32})\b", path.read_text(encoding="utf-8", errors="replace"))
    if match is None:
        raise DataError(path, "holds no MD5: expected 32 hexadecimal digits, as `md5sum FILE` prints them")
    return match[1].lower()
