"""The rules of the house: imports go one way, files and functions stay small, every module says what it exports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import dynaconv

PACKAGE = Path(dynaconv.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# Each may import what stands before it; packages on one line never import each other.
ORDER = [
    {"errors"},
    {"counts", "options", "spec", "atomic"},
    {"kernels"},
    {"native"},
    {"dispatch"},
    {"ops"},
    {"context", "coefficients"},
    {"layers", "attention", "pooling"},
    {"convert"},
    {"models"},
    {"hub"},
    {"data", "export"},
    {"train"},
    {"compare", "analysis", "bench"},
    {"report"},
    {"cli"},
    {"__main__"},
]
# kernels stand left of context, so that ops can take them; the three stages still never import each other.
NEVER = {"context": {"kernels", "ops", "coefficients"}, "coefficients": {"kernels", "ops", "context"}}
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
MOST_LINES, MOST_FUNCTION_LINES = 300, 50


def top(path: Path) -> str:
    """The package or module directly below `dynaconv` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Names of all modules that a tree imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(path: Path, tree: ast.AST) -> set[str]:
    """Which of the packages below `dynaconv` a file imports."""
    names = {name.split(".")[1] for name in imported(tree) if name.startswith("dynaconv.")}
    return {name for name in names if name in LEVEL} - {top(path)}


def violations(path: Path, tree: ast.AST) -> set[str]:
    """Imports of a file that do not go from right to left."""
    here = top(path)
    return {name for name in own_imports(path, tree) if LEVEL[name] >= LEVEL[here] or name in NEVER.get(here, ())}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent != PACKAGE or p.stem != "__init__"], ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    assert top(path) in LEVEL, f"{name_of(path)}: its package has no place in the order of imports"
    assert not violations(path, parse(path))


def test_a_wrong_import_is_found() -> None:
    backwards = ast.parse("from dynaconv.layers import create_conv")
    assert violations(PACKAGE / "ops" / "conv.py", backwards) == {"layers"}
    sideways = ast.parse("import dynaconv.kernels.values")
    assert violations(PACKAGE / "context" / "average.py", sideways) == {"kernels"}


@pytest.mark.parametrize("path", [p for p in MODULES if top(p) == "ops"], ids=name_of)
def test_ops_hold_no_modules(path: Path) -> None:
    assert "nn.Module" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [p for p in MODULES if top(p) == "layers"], ids=name_of)
def test_layers_do_not_convolve_themselves(path: Path) -> None:
    assert not [
        n for n in ast.walk(parse(path)) if isinstance(n, ast.Attribute) and n.attr in {"conv1d", "conv2d", "conv3d"}
    ]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_and_functions_are_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert code_lines(node) <= MOST_FUNCTION_LINES, f"{node.name} has {code_lines(node)} lines"


def code_lines(node: ast.FunctionDef) -> int:
    """Lines of a function's body, its docstring left out: what is documented at length is not long."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", [p for p in MODULES if p.stem != "__main__"], ids=name_of)
def test_every_module_says_what_it_exports(path: Path) -> None:
    tree = parse(path)
    exported = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and [t.id for t in node.targets if isinstance(t, ast.Name)] == ["__all__"]
    ]
    assert len(exported) == 1, "expected one __all__"
    assert set(exported[0]) <= defined(tree), "names in __all__ that the module does not have"
    assert ast.get_docstring(tree), "expected a docstring"


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module's top level, those inside `try` included."""
    for node in body:
        yield node
        if isinstance(node, ast.Try):
            yield from top_level(node.body)


def defined(tree: ast.Module) -> set[str]:
    """Names that a module's top level binds."""
    names = set()
    for node in top_level(tree.body):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return names


def test_each_optional_dependency_is_imported_in_one_file_of_a_package() -> None:
    places = defaultdict(set)
    for path in MODULES:
        for name in {name.split(".")[0] for name in imported(parse(path))} - set(sys.stdlib_module_names):
            if name not in {"torch", "dynaconv", "__future__"}:
                places[top(path), name].add(name_of(path))
    assert {key: files for key, files in places.items() if len(files) > 1} == {}


def test_the_library_needs_torch_alone() -> None:
    extras = ["lightning", "torchvision", "kornia", "timm", "jsonargparse", "tensorboard", "rich", "sklearn", "yaml"]
    extras += ["safetensors", "plotly", "jinja2", "scipy"]
    code = f"import sys, dynaconv; print([n for n in {extras!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names() -> None:
    """Names may be added; one that vanishes breaks somebody's code."""
    promised = {"ConvSpec", "create_conv", "create_model", "list_convs", "list_models", "ops", "profile"}
    assert promised <= set(dynaconv.__all__)
    assert all(hasattr(dynaconv, name) for name in dynaconv.__all__)
