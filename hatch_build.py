"""Builds the fused kernels into the package; without a compiler the package is pure Python.

`DYNACONV_NATIVE=off` builds the pure package on purpose. A compiler that fails stops the build: a broken build is never
mistaken for an absent one.
"""

from __future__ import annotations

import importlib.util
import os
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def _builder(root: Path) -> ModuleType:
    """`native/build.py` as a module."""
    spec = importlib.util.spec_from_file_location("dynaconv_native_build", root / "native" / "build.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{root / 'native' / 'build.py'} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # a project's hook has no configuration type
    """Compiles before a wheel or an editable install is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and mark the wheel as made for this platform."""
        if self.target_name != "wheel":
            return
        builder = _builder(Path(self.root))
        builder.LIBRARY.unlink(missing_ok=True)
        compiler = builder.find_compiler()
        if os.environ.get("DYNACONV_NATIVE") == "off" or os.name != "posix" or compiler is None:
            self.app.display_warning("dynaconv: no fused kernels (no C++ compiler, or switched off): pure PyTorch")
            return
        builder.build(compiler, builder.LIBRARY)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        build_data["artifacts"].append("src/dynaconv/native/_fused.so")
