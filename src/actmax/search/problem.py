"""What is searched for, whatever the method: an objective, and a space of inputs.

A space says which inputs there are: sequences of tokens (:class:`actmax.inputs.tokens.TokenSpace`), or
vectors in the place of token embeddings (:class:`actmax.inputs.soft.VectorSpace`). Both hold the model and
the frame, without which nobody can say which sequences a text produces; a problem hands these on.

1. ``gain = Σ weight · term`` over all terms but the cross-entropy, in float64.
2. ``score = gain - price · nats per token``; minus infinity where nothing may be read.
3. With ``max_cross_entropy`` a sequence above the limit scores below every sequence within it, and the lower
   the further it is above, so that a search is led back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from actmax.errors import ActmaxError
from actmax.inputs.frame import Frame
from actmax.inputs.soft import VectorSpace
from actmax.inputs.tokens import Row as Row
from actmax.inputs.tokens import TokenSpace
from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.objectives.activation import Activation
from actmax.objectives.objective import Objective, Term
from actmax.objectives.penalties import CrossEntropy
from actmax.objectives.positions import Where
from actmax.shapes import Scores

BEYOND = 1e9
"""What a sequence above the limit of nats per token loses, before its distance to the limit."""


@dataclass(frozen=True)
class Problem:
    """An objective over a space of inputs."""

    objective: Objective
    space: TokenSpace | VectorSpace

    def __post_init__(self) -> None:
        whole = len(self.frame.before) + self.space.length + len(self.frame.after)
        if whole > self.model.context:
            raise ActmaxError(
                f"Prefix, {self.space.length} positions and suffix are {whole} positions, but "
                f"{self.model.name} reads at most {self.model.context}; shorten them."
            )
        if isinstance(self.space, VectorSpace):
            self._check_vectors()
        else:
            self._check_tokens(self.space)

    @property
    def model(self) -> Model:
        """What is asked."""
        return self.space.model

    @property
    def frame(self) -> Frame:
        """What stands around the input."""
        return self.space.frame

    @property
    def tokens(self) -> TokenSpace:
        """The space of a search over tokens."""
        if not isinstance(self.space, TokenSpace):
            raise TypeError("this problem is about vectors")
        return self.space

    @property
    def vectors(self) -> VectorSpace:
        """The space of a search over vectors."""
        if not isinstance(self.space, VectorSpace):
            raise TypeError("this problem is about tokens")
        return self.space

    @cached_property
    def reported(self) -> Activation:
        """The term that results report: the first of the objective.

        Raises:
            ActmaxError: it is not the activation of a unit.
        """
        first = self.objective.first
        if not isinstance(first, Activation):
            raise ActmaxError(f"An objective begins with the activation of a unit, not with {first}.")
        return first

    @property
    def unit(self) -> Unit:
        """The unit of that term."""
        return self.reported.unit

    @cached_property
    def terms(self) -> tuple[tuple[float, Term], ...]:
        """All terms but the cross-entropy, which is counted token by token."""
        return tuple(
            (weight, term) for weight, term in self.objective.terms if not isinstance(term, CrossEntropy)
        )

    @cached_property
    def price(self) -> float:
        """What one nat per token costs, in units of the score."""
        weights = [weight for weight, term in self.objective.terms if isinstance(term, CrossEntropy)]
        return -sum(weights) if weights else 0.0

    @property
    def limit(self) -> float | None:
        """Text above this cross-entropy is not wanted (nats per token)."""
        return self.space.max_cross_entropy if isinstance(self.space, TokenSpace) else None

    @property
    def wants_nats(self) -> bool:
        """Whether every score needs the cross-entropy."""
        return self.price != 0 or self.limit is not None

    def at(self, place: int) -> Problem:
        """The same with the reported term read at one position (its number after the prefix)."""
        return replace(self, objective=self.objective.with_first(replace(self.reported, positions=place)))

    def gain(self, activation: Scores, further: Scores | None) -> Scores:
        """The objective without the cross-entropy, in float64; NaN where nothing may be read.

        Args:
            activation: of the reported term, without its weight.
            further: the weighted sum of the other terms; None where there are none.
        """
        gain = self.objective.weight * activation.double()
        return gain if further is None else gain + further.double()

    def score(self, gain: Scores, nats: Scores | None) -> Scores:
        """What is maximised; minus infinity where nothing may be read."""
        score = gain
        if nats is not None:
            score = score - self.price * nats.double()
            if self.limit is not None:
                above = nats.double() - self.limit
                score = torch.where((above > 0) & score.isfinite(), -BEYOND - above, score)
        return torch.where(score.isnan(), -torch.inf, score)

    def _check_vectors(self) -> None:
        if self.wants_nats:
            raise ActmaxError(
                "Vectors have no cross-entropy; leave it out of the objective, or use a method that searches "
                "tokens, such as hybrid."
            )
        for place in self._places():
            if not 0 <= place < self.space.length:
                raise _unread(place, self.space.length)

    def _check_tokens(self, space: TokenSpace) -> None:
        read = space.least + len(self.frame.after)
        for place in self._places():
            if not 0 <= place < read:
                raise _unread(place, read)
        rule = self.reported.rule
        if self.frame.before or rule is None or rule.first:
            return
        if read == 1 or self.reported.positions == 0:
            raise ActmaxError(
                "Without BOS and prefix the only position to read is the first, which is an attention sink "
                "in most models; use --bos auto, a longer text, or --include-sinks."
            )

    def _places(self) -> list[int]:
        where: list[Where] = [term.positions for _, term in self.terms if isinstance(term, Activation)]
        return [place for place in where if isinstance(place, int)]


def _unread(place: int, n: int) -> ActmaxError:
    return ActmaxError(f"Position {place} is not one of those that are read; give 0 to {n - 1}.")
