"""Find what a unit of a language model wants, and how far to believe it.

::

    import actmax

    model = actmax.load()
    result = actmax.maximize(model, "hidden_states.4:90", restarts=10)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from actmax.results.rendering import use_renderer
from actmax.version import __version__

if TYPE_CHECKING:
    from actmax.api.check import check
    from actmax.api.compare import compare
    from actmax.api.dictionary import dictionary
    from actmax.api.investigate import investigate
    from actmax.api.load import load
    from actmax.api.maximize import maximize
    from actmax.api.observe import observe
    from actmax.api.reproduce import reproduce
    from actmax.api.select import select
    from actmax.errors import ActmaxError
    from actmax.models.load import wrap
    from actmax.models.read import read
    from actmax.models.sites import list_sites, resolve
    from actmax.objectives.activation import activation
    from actmax.objectives.objective import Objective
    from actmax.objectives.penalties import cross_entropy, shell_distance, squared_norm
    from actmax.results.compare import CompareResult
    from actmax.results.maximize import MaximizeResult
    from actmax.results.observe import ObserveResult
    from actmax.results.select import SelectResult
    from actmax.search.methods.beam import Beam
    from actmax.search.methods.coordinate import Coordinate
    from actmax.search.methods.epo import EPO
    from actmax.search.methods.exhaustive import Exhaustive
    from actmax.search.methods.gcg import GCG
    from actmax.search.methods.gumbel import Gumbel
    from actmax.search.methods.hotflip import HotFlip
    from actmax.search.methods.hybrid import Hybrid
    from actmax.search.methods.pez import PEZ
    from actmax.search.methods.random import Random
    from actmax.search.methods.soft_ascent import SoftAscent

_EXPORTS = {
    "ActmaxError": "actmax.errors",
    "CompareResult": "actmax.results.compare",
    "MaximizeResult": "actmax.results.maximize",
    "ObserveResult": "actmax.results.observe",
    "Objective": "actmax.objectives.objective",
    "Beam": "actmax.search.methods.beam",
    "Coordinate": "actmax.search.methods.coordinate",
    "EPO": "actmax.search.methods.epo",
    "Exhaustive": "actmax.search.methods.exhaustive",
    "GCG": "actmax.search.methods.gcg",
    "Gumbel": "actmax.search.methods.gumbel",
    "HotFlip": "actmax.search.methods.hotflip",
    "Hybrid": "actmax.search.methods.hybrid",
    "PEZ": "actmax.search.methods.pez",
    "Random": "actmax.search.methods.random",
    "SoftAscent": "actmax.search.methods.soft_ascent",
    "activation": "actmax.objectives.activation",
    "check": "actmax.api.check",
    "dictionary": "actmax.api.dictionary",
    "compare": "actmax.api.compare",
    "cross_entropy": "actmax.objectives.penalties",
    "investigate": "actmax.api.investigate",
    "list_sites": "actmax.models.sites",
    "load": "actmax.api.load",
    "maximize": "actmax.api.maximize",
    "observe": "actmax.api.observe",
    "read": "actmax.models.read",
    "reproduce": "actmax.api.reproduce",
    "resolve": "actmax.models.sites",
    "select": "actmax.api.select",
    "shell_distance": "actmax.objectives.penalties",
    "squared_norm": "actmax.objectives.penalties",
    "SelectResult": "actmax.results.select",
    "wrap": "actmax.models.load",
}
"""Imported when first used, so that ``actmax --help`` does not wait for torch and transformers."""

__all__ = [
    "EPO",
    "GCG",
    "PEZ",
    "ActmaxError",
    "Beam",
    "CompareResult",
    "Coordinate",
    "Exhaustive",
    "Gumbel",
    "HotFlip",
    "Hybrid",
    "MaximizeResult",
    "Objective",
    "ObserveResult",
    "Random",
    "SelectResult",
    "SoftAscent",
    "__version__",
    "activation",
    "check",
    "compare",
    "cross_entropy",
    "dictionary",
    "investigate",
    "list_sites",
    "load",
    "maximize",
    "observe",
    "read",
    "reproduce",
    "resolve",
    "select",
    "shell_distance",
    "squared_norm",
    "wrap",
]

for _kind in ("check", "compare", "dictionary", "investigate", "maximize", "observe", "reproduce", "select"):
    use_renderer(f"actmax.{_kind}/1", f"actmax.report.{_kind}")


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'actmax' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
