"""The one door from a search method to the model. It counts what is spent.

A method never runs the model itself, so that budget and cost are the same for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from actmax.models.model import Model
from actmax.models.read import Prefix, read
from actmax.models.sites import Site
from actmax.objectives.objective import Objective, Reading
from actmax.search.meter import Cost as Cost
from actmax.search.meter import Meter
from actmax.shapes import Embeds, Scores


@dataclass(frozen=True)
class Gradient:
    """Scores of soft inputs with what improves them."""

    scores: Scores
    embeds: Embeds
    """``∂score/∂embeds``, row by row."""
    reading: Reading
    """Without a graph."""


class Scorer:
    """Scores inputs of one model under one objective."""

    def __init__(
        self,
        model: Model,
        objective: Objective,
        *,
        watch: Iterable[Site] = (),
        prefix: Prefix | None = None,
    ) -> None:
        """A scorer that has spent nothing.

        Args:
            model: what is run, to the deepest site needed.
            objective: what scores.
            watch: further sites to read (they must not be deeper than needed, or they cost).
            prefix: what precedes every input, already run.
        """
        self.model = model
        self.objective = objective
        self.prefix = prefix
        self._sites = objective.needs | frozenset(watch)
        self._meter = Meter()

    @property
    def cost(self) -> Cost:
        """What has been spent since the scorer was made."""
        return self._meter.cost

    def gradient(self, embeds: Embeds) -> Gradient:
        """Score soft inputs and differentiate each row's score by its own input.

        Args:
            embeds: ``[batch, pos, d_model]``; not changed.
        """
        leaf = embeds.detach().requires_grad_()
        reading = self._read(leaf)
        scores = self.objective(reading)
        (slope,) = torch.autograd.grad(scores.sum(), leaf)
        self._meter.spend(backward=leaf.shape[0] * leaf.shape[1])
        acts = {site: value.detach() for site, value in reading.acts.items()}
        return Gradient(scores.detach(), slope, Reading(acts, None, reading.before))

    @torch.no_grad()
    def soft(self, embeds: Embeds) -> tuple[Scores, Reading]:
        """Score soft inputs without a graph."""
        reading = self._read(embeds)
        return self.objective(reading), reading

    def _read(self, embeds: Embeds) -> Reading:
        self._meter.spend(scored=embeds.shape[0], forward=embeds.shape[0] * embeds.shape[1])
        acts = read(self.model, self._sites, embeds=embeds, prefix=self.prefix)
        return Reading(acts, None, {} if self.prefix is None else self.prefix.acts)
