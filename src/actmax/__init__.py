"""Find what a unit of a language model wants, and how far to believe it.

::

    import actmax

    model = actmax.load()
    result = actmax.maximize(model, "hidden_states.4:90", restarts=10)
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actmax.results.rendering import use_renderer
from actmax.version import __version__

if TYPE_CHECKING:
    # The table of what is public: read by type checkers and editors, and by _public.
    from actmax.api.check import check as check
    from actmax.api.compare import compare as compare
    from actmax.api.dictionary import dictionary as dictionary
    from actmax.api.investigate import investigate as investigate
    from actmax.api.load import load as load
    from actmax.api.maximize import maximize as maximize
    from actmax.api.observe import observe as observe
    from actmax.api.reproduce import reproduce as reproduce
    from actmax.api.select import select as select
    from actmax.errors import ActmaxError as ActmaxError
    from actmax.models.load import wrap as wrap
    from actmax.models.read import read as read
    from actmax.models.sites import list_sites as list_sites
    from actmax.models.sites import resolve as resolve
    from actmax.models.sites import resolve_site as resolve_site
    from actmax.objectives.activation import activation as activation
    from actmax.objectives.objective import Objective as Objective
    from actmax.objectives.penalties import cross_entropy as cross_entropy
    from actmax.objectives.penalties import shell_distance as shell_distance
    from actmax.objectives.penalties import squared_norm as squared_norm
    from actmax.results.compare import CompareResult as CompareResult
    from actmax.results.maximize import MaximizeResult as MaximizeResult
    from actmax.results.observe import ObserveResult as ObserveResult
    from actmax.results.select import SelectResult as SelectResult
    from actmax.search.methods.beam import Beam as Beam
    from actmax.search.methods.coordinate import Coordinate as Coordinate
    from actmax.search.methods.epo import EPO as EPO
    from actmax.search.methods.exhaustive import Exhaustive as Exhaustive
    from actmax.search.methods.gcg import GCG as GCG
    from actmax.search.methods.gumbel import Gumbel as Gumbel
    from actmax.search.methods.hotflip import HotFlip as HotFlip
    from actmax.search.methods.hybrid import Hybrid as Hybrid
    from actmax.search.methods.pez import PEZ as PEZ
    from actmax.search.methods.random import Random as Random
    from actmax.search.methods.soft_ascent import SoftAscent as SoftAscent


def _public() -> dict[str, str]:
    """Each public name and its module, from the imports above.

    They are imported when they are first used, so that ``actmax --help`` does not wait for torch.
    """
    source = Path(__file__).read_text(encoding="utf-8")
    block = next(node for node in ast.parse(source).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


_HOMES = _public()
__all__ = ["__version__", *_HOMES]

for _kind in ("check", "compare", "dictionary", "investigate", "maximize", "observe", "reproduce", "select"):
    use_renderer(f"actmax.{_kind}/1", f"actmax.report.{_kind}")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'actmax' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
