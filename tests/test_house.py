"""The invariants of the house: each thing is said once, and imports go one way.

The layers stand in ``pyproject.toml``; the rules of single files are in ``test_architecture.py``.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "actmax"
LONGEST_FUNCTION, MOST_PARAMETERS = 60, 8
"""Lines without the docstring; a settings object is one parameter."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
"""What has parameters and a body."""


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name."""
    trees: dict[str, ast.Module] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        dotted = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        trees[dotted] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def imported_by(tree: ast.AST) -> Iterator[str]:
    """The actmax modules that a piece of code imports, anywhere in it (functions and TYPE_CHECKING too)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "actmax")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "actmax":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in sources() else node.module


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method of a module."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def public(tree: ast.Module) -> Iterator[ast.ClassDef | Function]:
    """The public classes and functions at the top of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("kind", ["class", "function"])
def test_a_name_stands_for_one_thing(kind: str) -> None:
    wanted = ast.ClassDef if kind == "class" else (ast.FunctionDef, ast.AsyncFunctionDef)
    homes: dict[str, list[str]] = defaultdict(list)
    for module, tree in sources().items():
        for node in public(tree):
            if isinstance(node, wanted):
                homes[node.name].append(module)
    # A verb is one function in Python and one on the command line, which calls it.
    shared = {
        name: found
        for name, found in homes.items()
        if len(found) > 1 and not _a_verb(name, found) and not _an_interface(found)
    }
    assert shared == {}


def _a_verb(name: str, modules: list[str]) -> bool:
    left = [module for module in modules if not module.startswith("actmax.cli.verbs.")]
    return len(modules) - len(left) == 1 and left == [f"actmax.api.{name}"]


def _an_interface(modules: list[str]) -> bool:
    """What every file of a room offers, as pages do: it is asked for by the file's name."""
    rooms = {module.rpartition(".")[0] for module in modules}
    return len(modules) > 3 and len(rooms) == 1


def test_no_circle_between_files() -> None:
    graph = {module: set(imported_by(tree)) - {module} for module, tree in sources().items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"these files import one another: {' -> '.join(error.args[1])}")


LEAVES = {"errors", "files", "legible", "numbers", "progress", "rng", "settings", "shapes", "version"}


@pytest.mark.parametrize(
    ("room", "allowed"), [("report", {"report", "results"}), ("cli", {"cli", "api", "results", "report"})]
)
def test_report_shows_results_and_the_command_line_asks_the_api(room: str, allowed: set[str]) -> None:
    """Types that only annotations name, and the settings of a room, are not the room's work."""
    strangers = {
        f"{module} imports {name}"
        for module, tree in sources().items()
        if module.startswith(f"actmax.{room}.")
        for name in set(imported_by(without_type_checking(tree)))
        if name != "actmax" and name.split(".")[1] not in allowed | LEAVES
        if not name.endswith(("settings", "names"))
    }
    assert strangers == set()


def without_type_checking(tree: ast.Module) -> ast.Module:
    """A module as it runs."""
    body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]
    return ast.Module(body=body, type_ignores=[])


def test_every_extra_has_code_that_needs_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    imports = {
        (alias if isinstance(alias, str) else alias.name).split(".")[0]
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in (node.names if isinstance(node, ast.Import) else [node.module or ""])
    }
    called = {text for tree in sources().values() for text in strings(tree)}
    for extra, lines in project["optional-dependencies"].items():
        if extra in {"dev", "docs"}:
            continue
        names = {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in lines}
        assert names & (imports | called), f"nothing imports what the extra [{extra}] brings"


def strings(tree: ast.AST) -> Iterator[str]:
    """Every string literal, docstrings too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_nothing_public_is_used_by_tests_alone() -> None:
    used: Counter[str] = Counter()
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                used[node.id] += 1
            elif isinstance(node, ast.Attribute):
                used[node.attr] += 1
            elif isinstance(node, ast.ImportFrom):
                used.update(alias.name for alias in node.names)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                used[node.value] += 1  # names of lazy exports, and of annotations
    shown = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("examples", "docs", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md"}
    )
    idle = [
        f"{module}.{node.name}"
        for module, tree in sources().items()
        for node in public(tree)
        if not used[node.name]
        and not found_by_its_folder(module)
        and not re.search(rf"\b{node.name}\b", shown)
    ]
    assert idle == []


def found_by_its_folder(module: str) -> bool:
    """Whether a module is one of those that are found by where they lie."""
    return bool(re.match(r"actmax\.(cli|search\.methods|checks|report)\.", module))


@pytest.mark.parametrize("module", sorted(sources()))
def test_functions_are_short_and_take_few_parameters(module: str) -> None:
    wrong = []
    for node in functions(sources()[module]):
        words = ast.get_docstring(node, clean=False)
        lines = (node.end_lineno or node.lineno) - node.lineno + 1 - (words.count("\n") + 1 if words else 0)
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        parameters = [one for one in given if one.arg not in {"self", "cls"}]
        if lines > LONGEST_FUNCTION:
            wrong.append(f"{node.name} has {lines} lines")
        if len(parameters) > MOST_PARAMETERS:
            wrong.append(f"{node.name} has {len(parameters)} parameters")
    assert wrong == []


@pytest.mark.parametrize(
    "module", sorted(name for name in sources() if re.match(r"actmax\.(api|search)\.", name))
)
def test_signatures_say_what_they_take(module: str) -> None:
    vague = [
        node.name
        for node in functions(sources()[module])
        if any(
            isinstance(part, ast.Name) and part.id == "Any"
            for note in signature_of(node)
            for part in ast.walk(note)
        )
    ]
    assert vague == []


def signature_of(node: Function) -> Iterator[ast.expr]:
    """What the signature of a function says of its parameters and of what it returns."""
    given = [
        *node.args.posonlyargs,
        *node.args.args,
        *node.args.kwonlyargs,
        node.args.vararg,
        node.args.kwarg,
    ]
    yield from (one.annotation for one in given if one is not None and one.annotation is not None)
    if node.returns is not None:
        yield node.returns


def test_no_schema_is_written_by_hand() -> None:
    assert [path.name for path in PACKAGE.rglob("*.json")] == []


DIALECT = {
    r"\byardsticks?\b": "scale, reference",
    r"\boftener\b": "more often",
    r"\banother thing than\b": "different from",
    r"\bso many of\b": "the number of",
    r"\bmend(s|ed|ing)? (that|it|this)\b": "fix",
    r"\bare none\b; give": "must be at least 1 (got …)",
    r"\b(is|are) measured by [^.]*, not \{": "unknown …; choose …",
    r"(?<!there )\bis no (way|method|site|unit|number|text|file|folder|token)\b": "is not a …",
    r"\btold of\b": "called with",
    r"\botherwise than\b": "differently from",
    r"\bsomething else than\b": "something other than",
    r"\bthe mend\b": "the remedy",
    r"\bthrown away\b": "deleted",
    r"\bturned round\b": "reversed",
    r"\bheld apart\b": "held separately",
    r"\bbehind the (first|second)\b": "after the first",
    r"\bas good as none\b": "ignored",
    r"\b(take|took) in what another\b": "take in the … of others",
}
"""Turns of phrase that were removed, with what is written instead."""


def texts() -> Iterator[tuple[str, str]]:
    """Whatever a person reads: strings and docstrings of the package, templates, README and documents."""
    for module, tree in sources().items():
        yield module, "\n".join(strings(tree))
    for path in [
        *PACKAGE.rglob("*.j2"),
        *PACKAGE.rglob("*.md"),
        ROOT / "README.md",
        *(ROOT / "docs").glob("*.md"),
    ]:
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


@pytest.mark.parametrize("phrase", sorted(DIALECT))
def test_a_phrase_that_was_removed_stays_away(phrase: str) -> None:
    found = [
        f"{place}: …{text[max(0, match.start() - 40) : match.end() + 40]}…; write {DIALECT[phrase]}"
        for place, text in ((place, " ".join(text.split())) for place, text in texts())
        for match in re.finditer(phrase, text, re.IGNORECASE)
    ]
    assert found == []
