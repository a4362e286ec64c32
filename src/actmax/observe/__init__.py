"""What a unit responds to in real text: corpora, windows, summaries, examples, and atlases of them.

``actmax.observe`` is this package and the function of that name at once: calling the package calls
:func:`actmax.observe.run.observe`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A module that can be called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from actmax.observe.run import observe

        return observe(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
