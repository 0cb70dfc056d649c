"""The page on adding a method is followed on a copy of the library: its tests pass, and it is as short as it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "add-a-method.md"
# Where lines for a file that is there already go: those that match, before or after a line of the file.
ANCHORS = {
    "src/dynaconv/layers/registry.py": [
        (r"from ", "from dynaconv.layers.kernel_weighted", "before"),
        (r" +\"", '        "static":', "after"),
    ],
    "tests/support/layers.py": [(r" +\*cases", "CASES: tuple", "after")],
}


def blocks() -> dict[str, list[str]]:
    """The lines of the page's code by the file that they are for."""
    found = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return {file: text.splitlines() for file, text in found}


def insert(file: Path, lines: list[str], anchors: list[tuple[str, str, str]]) -> None:
    content = file.read_text(encoding="utf-8").splitlines()
    for line in lines:
        anchor, where = next((anchor, where) for pattern, anchor, where in anchors if re.match(pattern, line))
        at = next(i for i, present in enumerate(content) if present.startswith(anchor))
        content.insert(at + (where == "after"), line)
    file.write_text("\n".join(content) + "\n", encoding="utf-8")


def test_a_method_takes_less_than_sixty_lines() -> None:
    assert set(ANCHORS) < set(blocks())
    assert sum(len(lines) for lines in blocks().values()) < 60


def test_the_page_adds_a_method(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "support", tmp_path / "tests" / "support")
    for file in ("tests/conftest.py", "tests/layers/test_common_suite.py", "pyproject.toml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    for file, lines in blocks().items():
        if file in ANCHORS:
            insert(tmp_path / file, lines, ANCHORS[file])
        else:
            (tmp_path / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    # Every test, on two geometries: the others take long and show no more of the page.
    chosen = "filter_gated and (plain or groups) or filter_gated and equation or in_the_table"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, "tests/layers"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "src"), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 30
