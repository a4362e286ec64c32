"""The names of the search methods and their hyperparameters, read from the files of the methods.

The files are read, not imported: methods need torch and transformers, and a misspelled name or option and
``--help`` are to be answered at once. A test holds that what is read equals what an import gives.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from annotated_types import Ge, Gt, Interval, Le, Lt

from actmax.errors import ActmaxError, nearest
from actmax.search import methods as folder
from actmax.search import settings as shared_settings
from actmax.settings import Option, Setting, setting_of, settings_of

SHORT = {"soft": "soft-ascent", "text": "hybrid"}
"""Other names of methods; ``text`` is the best search over tokens."""

_WORDS = {
    **{kind.__name__: kind for kind in (int, float, bool, str)},
    **{name: getattr(typing, name) for name in ("Annotated", "Literal")},
    **{kind.__name__: kind for kind in (Ge, Gt, Le, Lt, Interval, Option)},
}
"""What the annotations of hyperparameters are made of."""


@cache
def hyperparameters() -> Mapping[str, tuple[Setting, ...]]:
    """Every method's name with its hyperparameters, in alphabetical order."""
    found: dict[str, tuple[Setting, ...]] = {}
    for path in (path for place in folder.__path__ for path in sorted(Path(place).glob("*.py"))):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and (name := _name_of(node)):
                shared = [getattr(shared_settings, ast.unparse(base), None) for base in node.bases]
                inherited = (one for base in shared if base is not None for one in settings_of(base))
                found[name] = (*inherited, *_fields(node))
    return dict(sorted(found.items()))


def own_name(name: str) -> str:
    """The name that a method's results have: ``soft-ascent`` for ``soft``, ``hybrid`` for ``text``.

    Raises:
        ActmaxError: there is no such method.
    """
    known = [*SHORT, *hyperparameters()]
    if name not in known:
        raise ActmaxError(f"There is no method {name!r}; the nearest are {nearest(name, known)}.")
    return SHORT.get(name, name)


def distinct_names(methods: Sequence[str]) -> list[str]:
    """The methods' own names, each once.

    Raises:
        ActmaxError: there is no such method, or one is named twice.
    """
    names = [own_name(name) for name in methods]
    for name in names:
        if names.count(name) > 1:
            raise ActmaxError(f"The method {name} is named twice; name each method once.")
    return names


def _name_of(node: ast.ClassDef) -> str:
    """The name of a method's class; empty for other classes."""
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and ast.unparse(one.target) == "name" and one.value is not None:
            return str(ast.literal_eval(one.value))
    return ""


def _fields(node: ast.ClassDef) -> Iterator[Setting]:
    for one, below in itertools.pairwise([*node.body, ast.Pass()]):
        if not isinstance(one, ast.AnnAssign) or ast.unparse(one.annotation).startswith("ClassVar"):
            continue
        said = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        doc = str(ast.literal_eval(below.value)) if said and isinstance(below, ast.Expr) else ""
        hint = eval(ast.unparse(one.annotation), _WORDS)  # noqa: S307 - our own source, by fixed names
        default = dataclasses.MISSING if one.value is None else ast.literal_eval(one.value)
        yield setting_of(ast.unparse(one.target), hint, default, " ".join(doc.split()))
