"""The documentation is true: its examples run, its commands parse, its links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest

import dynaconv
from dynaconv.cli.main import VERBS, main

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PACKAGE = Path(dynaconv.__file__).parent
MODULES = [
    ".".join(("dynaconv", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.stem != "__main__"
]
COMMANDS = sorted(
    {
        line.strip().split("  #")[0]
        for page in PAGES
        for block in re.findall(r"```(?:sh|bash)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip().startswith("dynaconv ")
    }
)


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


def test_examples_are_found() -> None:
    finder = doctest.DocTestFinder()
    examples = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(examples) >= 8


def test_readme_python_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_name_verbs_and_flags_that_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, verb, *words = shlex.split(command)
    if verb.startswith("--"):
        return
    assert verb in VERBS
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    text = capsys.readouterr().out
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in text, f"{word} is no flag of dynaconv {verb}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"
