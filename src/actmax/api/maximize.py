"""``actmax.maximize``: the input that a unit wants most."""

from __future__ import annotations

from actmax.api.methods import method_of, refuse_foreign
from actmax.api.tokens import maximize_tokens
from actmax.api.vectors import maximize_vectors
from actmax.api.wanted import Target
from actmax.inputs.tokens import TokenSpace
from actmax.models.model import Model
from actmax.results.maximize import MaximizeResult
from actmax.search.settings import MaximizeSettings
from actmax.settings import keywords


@keywords(MaximizeSettings)
def maximize(model: Model, unit: Target, settings: MaximizeSettings) -> MaximizeResult:
    """Search for the input that a unit, or any objective, wants most, and say what it shows.

    ::

        maximize(model, "hidden_states.4:90", restarts=10)
        maximize(model, "hidden_states.4:90 - 0.5*hidden_states.4:91", method="gcg", budget=20_000)
        maximize(model, activation(unit, "last") - 0.2 * cross_entropy(), method=GCG(top_k=64))

    Args:
        model: from :func:`actmax.load`.
        unit: ``SITE:INDEX``, for example ``"hidden_states.4:90"``; an expression of several
            (:mod:`actmax.objectives.expression`); or an :class:`actmax.Objective`, whose first term is the
            activation that is reported.
        settings: as keyword arguments, see below. ``soft-ascent`` searches free vectors; ``hybrid``
            (``text``), ``random``, ``exhaustive``, ``coordinate``, ``hotflip``, ``gcg``, ``epo``, ``pez``,
            ``gumbel`` and ``beam`` search real tokens.

    Raises:
        ActmaxError: an unknown unit or method, or a setting out of range; the sentence names the remedy.
    """
    method = method_of(settings.method, settings)
    refuse_foreign([method], settings)
    if method.space is TokenSpace:
        return maximize_tokens(model, unit, method, settings, settings.on_step)
    return maximize_vectors(model, unit, method, settings, settings.on_step)
