"""Wheel and source distribution, made in clean environments; what installs with, without and with a broken compiler."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONVOLVE = """
import torch
from dynaconv import native, ops
ops.mixture_conv(torch.randn(2, 3, 5, 5), torch.randn(4, 6, 3, 3, 3), torch.rand(2, 4))
print(native.__file__, native.status())
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that is made from it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True, capture_output=True)
    return folder


def install(package: Path, target: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Install a package alone into a folder; what it depends on stays where it is."""
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(target), str(package)]
    return subprocess.run(pip, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def run(target: Path, *arguments: str) -> str:
    """What Python prints with the installed package before all others."""
    environment = {**os.environ, "PYTHONPATH": str(target)}
    python = [sys.executable, *arguments]
    return subprocess.run(python, cwd=target, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_wheel_is_for_this_platform_and_brings_the_kernels(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    assert "-py3-none-" in wheel.name
    assert "-any" not in wheel.name
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    assert {"dynaconv/native/_fused.so", "dynaconv/py.typed"} <= set(names)
    assert not [name for name in names if name.endswith((".cpp", ".h"))]
    assert install(wheel, tmp_path).returncode == 0
    found = run(tmp_path, "-c", CONVOLVE)
    assert found.startswith(str(tmp_path))
    assert found.split()[-1] in ("avx512", "avx2", "portable", "neon")


def test_the_source_distribution_holds_sources_alone(dist: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.split("/", 1)[1] for name in opened.getnames() if "/" in name}
    assert {"LICENSE", "hatch_build.py", "native/build.py", "native/tile.h", "native/selfcheck/main.cpp"} <= names
    assert not [name for name in names if name.endswith(".so")]


def test_without_a_compiler_the_pure_version_is_installed_and_says_so(dist: Path, tmp_path: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    (nothing := tmp_path / "bin").mkdir()
    done = install(archive, tmp_path / "target", PATH=str(nothing), CXX="")
    assert done.returncode == 0, done.stderr
    assert "off (absent): " in run(tmp_path / "target", "-c", CONVOLVE)
    said = run(tmp_path / "target", "-m", "dynaconv", "info", "--json")
    assert "off (absent): " in said
    assert "install a C++ compiler, then dynaconv again" in said


def test_a_broken_compiler_is_no_absent_one(dist: Path, tmp_path: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    done = install(archive, tmp_path / "target", CXX="false")
    assert done.returncode != 0
    assert "BuildError" in done.stdout + done.stderr
    assert not (tmp_path / "target" / "dynaconv").exists()
