"""Methods and their settings: which there are, and what each of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from actmax.errors import ActmaxError
from actmax.inputs.tokens import TokenSpace
from actmax.search.method import Method
from actmax.search.registry import method_class
from actmax.search.settings import AscentSettings, SearchSettings, TokenSettings, VectorSettings
from actmax.settings import Settings, provenance, settings_from, settings_of

VECTORS_LENGTH, TOKENS_LENGTH = 5, 12
"""Positions that are searched where ``length`` is not given."""
SHARED = ("length", "restarts", "bos")
"""Settings of every search that a result records (the corpus too, where starts come from it)."""


def token_method(name: str) -> str | None:
    """The own name of a method that searches tokens; None for one that searches vectors.

    Raises:
        ActmaxError: there is no such method.
    """
    kind = method_class(name)
    return kind.name if kind.space is TokenSpace else None


def with_hyperparameters(name: str, values: Mapping[str, object]) -> str | Settings:
    """A method with some hyperparameters; its name where there are none.

    Raises:
        ActmaxError: there is no such method, or a value is refused.
    """
    return settings_from(method_class(name), name, dict(values)) if values else name


def method_of(given: str | Settings, settings: SearchSettings) -> Method:
    """The method that is named, with the hyperparameters that are among the settings.

    Raises:
        ActmaxError: there is no such method, or what is given is not one.
    """
    if isinstance(given, Method):
        return given
    if not isinstance(given, str):
        raise ActmaxError(f"{given!r} is not a search method; give a name such as gcg, or GCG(top_k=64).")
    kind = method_class(given)
    if not issubclass(kind, AscentSettings):
        return kind()
    return kind(**{field.name: getattr(settings, field.name) for field in fields(AscentSettings)})


def refuse_foreign(methods: list[Method], settings: SearchSettings) -> None:
    """Refuse settings that none of the methods takes.

    Raises:
        ActmaxError: there is one.
    """
    for kind, used in ((TokenSettings, TokenSpace), (VectorSettings, None)):
        if any((method.space is TokenSpace) == (used is TokenSpace) for method in methods):
            continue
        for one in settings_of(kind):
            if getattr(settings, one.name) != one.default:
                mine = (
                    f"The method {methods[0].name} has no"
                    if len(methods) == 1
                    else "None of the methods has a"
                )
                other = "hybrid" if used is TokenSpace else "soft-ascent"
                raise ActmaxError(
                    f"{mine} setting {one.name!r}; leave it out, or use a method such as {other}."
                )


def without_foreign(method: Method, settings: SearchSettings) -> SearchSettings:
    """The settings with those of the other kind of method at their defaults."""
    foreign = VectorSettings if method.space is TokenSpace else TokenSettings
    return replace(settings, **{one.name: one.default for one in settings_of(foreign)})


def recorded(method: Method, settings: SearchSettings, **resolved: object) -> dict[str, object]:
    """What a result records of the settings, and of the method's hyperparameters.

    Args:
        method: which was run.
        settings: of the search.
        resolved: what was used where a setting was left to the method.
    """
    kind = TokenSettings if method.space is TokenSpace else VectorSettings
    own = [one.name for one in settings_of(kind) if one.scope.recorded]
    known = provenance(settings)
    return {name: known[name] for name in (*SHARED, *own)} | resolved | provenance(method)
