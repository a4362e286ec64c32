"""What a scorer answers: scores, slopes, proposals, next tokens."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from actmax.shapes import Embeds, Scores


@dataclass(frozen=True)
class Scored:
    """What rows gave."""

    scores: Scores
    """What is maximised; minus infinity where nothing may be read (a sink)."""
    activation: Scores
    """Of the reported term, in its own units; NaN where nothing may be read."""
    gain: Scores
    """The objective without the cross-entropy; NaN where nothing may be read."""
    nats: Scores | None
    """Cross-entropy per searched token, where it was asked for or the objective needs it."""
    values: Float[Tensor, "batch pos"] | None = None
    """Of the reported term at every position after the prefix, where asked for; NaN where it is not read."""


@dataclass(frozen=True)
class Slope:
    """Scores of rows with what improves them."""

    scored: Scored
    embeds: Embeds
    """``∂score/∂embeds`` of the searched positions; times the embedding matrix it is the one-hot gradient."""
    stream: Embeds | None = None
    """The same for the residual stream that was asked for, at the searched positions."""
    neighbors: Float[Tensor, "batch neighbor"] | None = None
    """Activation of the problem's watched neighbours, in a search over vectors."""


@dataclass(frozen=True)
class Proposals:
    """For every searched position the tokens that promise most, to first order, best first.

    Where there are two kinds, they come in turn.
    """

    scored: Scored
    tokens: Int[Tensor, "batch pos k"]
    gains: Float[Tensor, "batch pos k"]
    """Promised change of the score by the substitution: the gradient at the position times the token's vector
    less what is there."""


@dataclass(frozen=True)
class NextTokens:
    """What the model itself expects after rows, among the allowed tokens, most probable first."""

    tokens: Int[Tensor, "batch k"]
    log_probs: Float[Tensor, "batch k"]
    nats: Float[Tensor, " batch"]
    """``-log p`` of the row itself, summed over its tokens."""
