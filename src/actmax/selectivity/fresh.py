"""Heatmaps over text that was not used to find the units.

For groups found in a corpus: passages around further targets of both groups, in documents that gave no sample
where there are such, else at places that were not used. For other groups: passages of the corpus, evenly
spread. Every token of a passage is read, for the strongest units only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from actmax.corpus.token_text import token_text
from actmax.corpus.tokens import Tokens
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sites import Unit, resolve
from actmax.objectives.activation import along
from actmax.selectivity.find import Match
from actmax.selectivity.groups import FoundSamples, Group, SampleSource, in_context
from actmax.selectivity.sample import Sample

PASSAGES = 3
"""Passages for each group."""

AROUND = 20
"""Tokens before and after the target of a passage."""

_DRAWN = 2000


@dataclass(frozen=True)
class FreshPassage:
    """A stretch of text, and what some units say at each of its tokens."""

    group: str
    """``a`` or ``b``: the group of the target; empty where there is none."""
    document: str
    tokens: tuple[str, ...]
    target: tuple[int, int]
    """First token of the target and one past its last; (0, 0) where there is none."""
    values: Float32[np.ndarray, "units tokens"]


def fresh_samples(
    groups: Sequence[Group],
    used: Sequence[FoundSamples],
    source: SampleSource,
    rng: np.random.Generator,
    passages: int = PASSAGES,
) -> list[tuple[str, Sample]]:
    """Places to look at: (``a``, ``b`` or nothing, the passage), none of them used before."""
    if source.corpus is None:
        return []
    if not all(group.needs_corpus for group in groups):
        return [("", sample) for sample in _spread(source.corpus, 2 * passages)]
    taken = {sample.where for found in used for sample in found.samples}
    known = {sample.document for found in used for sample in found.samples}
    wide = SampleSource(source.tokenizer, source.corpus, AROUND, AROUND, _DRAWN)
    chosen = []
    for label, group in zip(("a", "b"), groups, strict=True):
        samples = [sample for sample in group.find(wide, rng).samples if sample.where not in taken]
        samples = [samples[k] for k in rng.permutation(len(samples))]
        samples.sort(key=lambda sample: sample.document in known)
        chosen += [(label, sample) for sample in samples[:passages]]
    return chosen


def _spread(tokens: Tokens, passages: int) -> list[Sample]:
    length = 2 * AROUND
    begins = [int(tokens.n_tokens * (k + 0.5) / passages) for k in range(passages)]
    return [
        in_context(tokens, Match(begin, begin + 1, ""), 0, length)
        for begin in begins
        if begin + 1 < tokens.n_tokens
    ]


def look(
    model: Model, units: Sequence[str], chosen: Sequence[tuple[str, Sample]], bos: int | None
) -> list[FreshPassage]:
    """Read the passages, for the units alone; nothing where no unit is asked for."""
    if not units:
        return []
    resolved: list[Unit] = [resolve(model, name) for name in units]
    sites = frozenset(unit.site for unit in resolved)
    found = []
    for group, sample in chosen:
        ids = [*([] if bos is None else [bos]), *sample.ids]
        with torch.inference_mode():
            acts = read(model, sites, ids=torch.tensor([ids], device=model.device))
            rows = [along(unit, acts[unit.site])[0, -len(sample.ids) :].float().cpu() for unit in resolved]
        found.append(
            FreshPassage(
                group,
                sample.document,
                tuple(token_text(model.tokenizer, i) for i in sample.ids),
                (sample.start, sample.stop) if group else (0, 0),
                torch.stack(rows).numpy(),
            )
        )
    return found
