"""Loading: on, off, absent and broken are told apart, and each says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dynaconv import native
from dynaconv.errors import AlgorithmError, ArgumentError
from dynaconv.native import library
from dynaconv.native.library import PATH, load


def test_on() -> None:
    assert native.available()
    assert native.status().state == "on"
    assert str(native.status()) in ("avx512", "avx2", "portable", "neon")


def test_absent(tmp_path: Path) -> None:
    found, status = load(tmp_path / "_fused.so")
    assert found is None
    assert str(status).startswith("off (absent): ")
    assert "install a C++ compiler" in str(status)


def test_broken(tmp_path: Path) -> None:
    path = tmp_path / "_fused.so"
    path.write_bytes(b"not a library")
    found, status = load(path)
    assert found is None
    assert str(status).startswith(f"off (broken): {path} does not load (")
    path.write_bytes(PATH.read_bytes()[:4096])
    assert str(load(path)[1]) == f"off (broken): {path} is cut short; install dynaconv again"


def test_another_interface_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    built = library.INTERFACE_VERSION
    monkeypatch.setattr(library, "INTERFACE_VERSION", 99)
    assert str(load(PATH)[1]) == f"off (broken): {PATH} has interface {built}, not 99; install dynaconv again"


def test_switched_off() -> None:
    assert str(load(PATH, "off")[1]) == "off (disabled): DYNACONV_NATIVE=off is set"


def test_unknown_switch() -> None:
    with pytest.raises(ArgumentError, match=r"DYNACONV_NATIVE='sse9': expected off, avx512, avx2, portable, neon"):
        load(PATH, "sse9")


def test_unknown_instruction_set() -> None:
    with pytest.raises(ArgumentError, match=r"name='sse9': expected one of avx512, avx2, portable, neon that"):
        native.force_instruction_set("sse9")


@pytest.mark.parametrize(("switch", "text"), [("off", "off (disabled)"), ("portable", "portable")])
def test_environment(switch: str, text: str) -> None:
    program = "from dynaconv import native; print(native.status(), native.available())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"DYNACONV_NATIVE": switch, "PYTHONPATH": str(PATH.parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(text)


def test_calls_while_off_say_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(library, "_loaded", lambda: load(tmp_path / "none.so"))
    assert not native.available()
    with pytest.raises(AlgorithmError, match=r"algorithm='native' cannot run here: off \(absent\)"):
        native.force_instruction_set(None)
