"""The type checker that jaxtyping's import hook puts on every function of actmax while tests run."""

from __future__ import annotations

from typing import Self

from beartype import BeartypeConf, FrozenDict, beartype


class _HoldsAll(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return True


class _Anything(metaclass=_HoldsAll):
    """Every object is an instance."""


# The hook decorates functions, not classes, and beartype knows what Self is in a decorated class only. An int
# is a float here, as for mypy.
check = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict({Self: _Anything})))
