"""The build script: which compiler, and a failure that is loud and leaves nothing behind."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "native" / "build.py"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("native_build", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_environment_names_the_compiler(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "ccache 'my g++'")
    assert script.find_compiler() == ["ccache", "my g++"]


def test_no_compiler(script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert script.find_compiler() is None


def test_a_failing_compiler_is_an_error(script: ModuleType, tmp_path: Path) -> None:
    compiler = tmp_path / "compiler"
    compiler.write_text("#!/bin/sh\necho 'no such flag'\nexit 3\n")
    compiler.chmod(0o755)
    output = tmp_path / "out" / "_fused.so"
    with pytest.raises(script.BuildError, match=r"(?s)kernels\.cpp.* ended with 3:\nno such flag"):
        script.build([str(compiler)], output)
    assert list(output.parent.iterdir()) == []
