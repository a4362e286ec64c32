"""The rules of the source tree that no other tool holds."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from jaxtyping import TypeCheckError

import actmax
from actmax.errors import nearest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "actmax"
SOURCES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400
DISTRIBUTIONS = packages_distributions()

UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def calls(tree: ast.Module) -> Iterator[str]:
    """The dotted name of everything that is called: ``print``, ``torch.load``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported, and every name out of one: ``torch``, ``torch.load``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def breaches(source: str) -> list[str]:
    """What a file does that no file of the library may do."""
    tree = ast.parse(source)
    called, imported = set(calls(tree)), set(imports(tree))
    found = [f"calls {name}" for name in sorted(called & {"print", "torch.load"})]
    found += [f"imports {name}" for name in sorted(imported) if name.split(".")[0] in UNPICKLERS]
    found += ["imports torch.load"] if "torch.load" in imported else []
    lines = source.count("\n")
    return found + ([f"has {lines} lines, more than {LONGEST}"] if lines > LONGEST else [])


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_file_keeps_the_rules(path: Path) -> None:
    assert breaches(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "breach"),
    [
        ("print(1)", "calls print"),
        ("import torch\ntorch.load('x')", "calls torch.load"),
        ("from torch import load", "imports torch.load"),
        ("import pickle", "imports pickle"),
        ("from pickle import loads", "imports pickle"),
        ("x = 1\n" * (LONGEST + 1), f"has {LONGEST + 1} lines, more than {LONGEST}"),
    ],
)
def test_a_breach_is_seen(source: str, breach: str) -> None:
    assert breach in breaches(source)


def test_no_file_is_a_drawer_for_everything() -> None:
    drawers = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"}
    assert [name_of(path) for path in SOURCES if path.name in drawers] == []


def test_every_folder_is_a_package() -> None:
    """A folder without ``__init__.py`` is not seen by import-linter, and its imports go unchecked."""
    folders = {path.parent for path in SOURCES}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def declared() -> tuple[set[str], set[str]]:
    """The distributions of the base, and those that only extras bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    used = [line for name in extras if name not in {"dev", "docs"} for line in extras[name]]
    base, optional = (
        {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in lines}
        for lines in (project["dependencies"], used)
    )
    return base, optional - base


def foreign(tree: ast.AST) -> set[str]:
    """The distributions that code imports, apart from the standard library and actmax."""
    tops = {name.split(".")[0] for name in imports(tree)} - sys.stdlib_module_names - {"actmax"}
    return {DISTRIBUTIONS.get(top, [top])[0].lower().replace("_", "-") for top in tops}


def without_functions(tree: ast.Module) -> ast.Module:
    """What runs when the module is imported (classes hold no imports)."""
    body = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return ast.Module(body=body, type_ignores=[])


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_what_is_imported_is_declared(path: Path) -> None:
    """A base installation can import every file; only functions, and two places, reach for an extra."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    base, optional = declared()
    extra_at_the_top = name_of(path).startswith("web/") or name_of(path) == "observe/cluster.py"
    assert foreign(tree) <= base | optional
    assert foreign(without_functions(tree)) <= (base | optional if extra_at_the_top else base)


def test_layers_hold() -> None:
    """The contracts of pyproject.toml; what import-linter prints names the import that breaks one."""
    lint = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run([*lint, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_shapes_are_checked_while_tests_run() -> None:
    with pytest.raises(TypeCheckError):
        nearest(3, ["a"])  # type: ignore[arg-type]


def test_version_is_the_installed_one() -> None:
    assert version("actmax") == actmax.__version__
