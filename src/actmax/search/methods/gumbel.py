"""GBDA: a distribution over tokens at every position, trained through Gumbel-softmax samples.

Guo et al. 2021, "Gradient-based Adversarial Attacks against Text Transformers", arXiv:2104.13733.

1. Θ holds one number for every position and allowed token: ``initial`` for the tokens of a random sequence, 0
   for the rest.
2. Draw ``samples`` Gumbel-softmax mixtures of embeddings (temperature 1) and score them.
3. Update Θ with Adam (learning rate 0.3) by the mean gradient.
4. Every ``every`` updates draw ``hard`` sequences from the distribution and score them: these are the
   results.

With a fluency penalty only the sequences of step 4 feel it: mixtures have no cross-entropy here (the paper's
has one with soft targets).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt

from actmax.inputs.relaxed import gumbel_mixture, gumbel_noise
from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer


@dataclass(frozen=True, kw_only=True)
class Gumbel(Method):
    """Gumbel-softmax over tokens."""

    name: ClassVar[str] = "gumbel"

    lr: Annotated[float, Gt(0)] = 0.3
    """Adam's learning rate."""
    samples: Annotated[int, Ge(1)] = 10
    """Mixtures per step."""
    initial: float = 12.0
    """Θ of the tokens that it starts from."""
    temperature: Annotated[float, Gt(0)] = 1.0
    """Temperature of the softmax."""
    every: Annotated[int, Ge(1)] = 5
    """Updates between two draws of sequences."""
    hard: Annotated[int, Ge(1)] = 10
    """Sequences drawn then."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Train the distribution; this never converges by itself."""
        allowed = problem.tokens.allowed.ids
        rows = scorer.model.embedding.float().cpu()[allowed]
        start = problem.tokens.random(1, problem.tokens.length, rng)[0]
        theta = torch.zeros(problem.tokens.length, len(allowed))
        theta[torch.arange(problem.tokens.length), torch.searchsorted(allowed, start)] = self.initial
        theta.requires_grad_()
        adam = torch.optim.Adam([theta], lr=self.lr)
        index = 0
        while True:
            noise = gumbel_noise((self.samples, *theta.shape), rng)
            embeds = gumbel_mixture(theta, noise, self.temperature, rows)
            slope = scorer.vectors(embeds.detach())
            adam.zero_grad()
            embeds.backward(-slope.embeds / self.samples)
            adam.step()
            index += 1
            if index % self.every == 0:
                drawn = (theta.detach() + gumbel_noise((self.hard, *theta.shape), rng)).argmax(dim=-1)
                ids = torch.cat([theta.detach().argmax(dim=-1)[None], drawn[1:]])
                scored = scorer.ids(allowed[ids])
                members = tuple(map(tuple, allowed[ids].tolist()))
                yield Step(index, members, tuple(scored.scores.tolist()))
