"""The self-check against the built library; under sanitizers and on an emulated processor, as `make` runs it."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from dynaconv.native.library import PATH

ROOT = Path(__file__).parents[2]


def compiler() -> list[str]:
    """The command that `native/build.py` would compile with."""
    spec = importlib.util.spec_from_file_location("native_build", ROOT / "native" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.find_compiler()
    assert found is not None, "the self-check needs a C++ compiler"
    return [*found]


def test_the_built_library_passes_its_self_check(tmp_path: Path) -> None:
    program = tmp_path / "selfcheck"
    sources = map(str, sorted((ROOT / "native" / "selfcheck").glob("*.cpp")))
    rest = [str(PATH), f"-Wl,-rpath,{PATH.parent}", "-pthread", "-o", str(program)]
    subprocess.run([*compiler(), "-std=c++17", "-O1", *sources, *rest], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal" in done.stdout
    assert "WRONG" not in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)  # the sanitizers' instrumentation takes the compiler minutes on a busy machine
@pytest.mark.parametrize("target", ["sanitize", "emulate"])
def test_make_target(target: str) -> None:
    done = subprocess.run(["make", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": equal" in done.stdout
