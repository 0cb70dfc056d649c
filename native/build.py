"""Compiles the fused kernels into one shared library: `python native/build.py [--output FILE] [--flag FLAG ...]`.

With `--selfcheck` it makes the program of selfcheck/ instead, for instance under sanitizers:
`python native/build.py --selfcheck --output check --flag=-fsanitize=address,undefined`.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parent / "src" / "dynaconv" / "native" / "_fused.so"
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror=return-type")
AVX2 = ("-mavx2", "-mfma")
AVX512 = (*AVX2, "-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq")
# kernels.cpp once per instruction set that select.cpp may choose on this kind of processor.
X86 = {"avx512": AVX512, "avx2": AVX2, "portable": ()}
OTHER: dict[str, tuple[str, ...]] = {"baseline": ()}
COMMON = (
    *("bands", "blocking", "field", "fourier", "interface", "parallel"),
    *("plan", "scores", "select", "tapwise", "transforms"),
)
SELFCHECK = ("main", "bands", "mixture", "dense", "tapwise", "cells", "field", "scores", "spectrum")


class BuildError(RuntimeError):
    """The compiler ran and failed; the message holds its output."""


def find_compiler() -> list[str] | None:
    """The C++ compiler's command: $CXX, or the first of c++, g++ and clang++; `None` where there is none."""
    named = os.environ.get("CXX")
    if named:
        return shlex.split(named)
    found = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)
    return [found] if found else None


def build(
    compiler: list[str], output: Path, extra: tuple[str, ...] = (), machine: str = "", selfcheck: bool = False
) -> None:
    """Compile all sources at once and link them into `output`, which appears whole or not at all.

    Args:
        compiler: the command that starts the compiler.
        output: the library's path.
        extra: more flags for compiling and linking, for instance sanitizers.
        machine: the target's processor family where it is not this machine's.
        selfcheck: make the checking program instead of the library.

    Raises:
        BuildError: the compiler failed.
    """
    sets = X86 if (machine or platform.machine()).lower() in ("x86_64", "amd64") else OTHER
    units = {name: ("kernels", flags) for name, flags in sets.items()}
    units |= {name: (name, ()) for name in COMMON}
    if selfcheck:
        units |= {f"selfcheck_{name}": (f"selfcheck/{name}", ()) for name in SELFCHECK}
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        objects = {name: str(Path(folder) / f"{name}.o") for name in units}
        commands = [
            [*compiler, *FLAGS, *flags, *extra, "-c", str(HERE / f"{source}.cpp"), "-o", objects[name]]
            for name, (source, flags) in units.items()
        ]
        _run_all(commands)
        linked = str(Path(folder) / output.name)
        _run_all(
            [
                [
                    *compiler,
                    *([] if selfcheck else ["-shared"]),
                    "-pthread",
                    *extra,
                    *objects.values(),
                    "-o",
                    linked,
                    "-ldl",
                ]
            ]
        )
        Path(linked).replace(output)


def _run_all(commands: list[list[str]]) -> None:
    """Run the commands side by side; the first failure becomes a BuildError."""
    started = [
        (command, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        for command in commands
    ]
    finished = [(command, process.communicate()[0], process.returncode) for command, process in started]
    for command, text, code in finished:
        if code:
            raise BuildError(f"{shlex.join(command)} ended with {code}:\n{text}")


def main() -> int:
    """Build from the command line; 0 where the library was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=LIBRARY)
    parser.add_argument("--flag", action="append", default=[], help="a further compiler flag; may be repeated")
    parser.add_argument("--machine", default="", help="processor family of the target, e.g. aarch64")
    parser.add_argument("--selfcheck", action="store_true", help="make the checking program instead")
    options = parser.parse_args()
    compiler = find_compiler()
    if compiler is None:
        sys.stderr.write("no C++ compiler found; install one or name it in CXX\n")
        return 1
    try:
        build(compiler, options.output, tuple(options.flag), options.machine, options.selfcheck)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
