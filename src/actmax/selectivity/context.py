"""How much of a token's vector is its context, and how far the blocks carry it.

The residual stream after every block is read at the targets three times: in their context, alone (only BOS
before them), and alone with their leading space removed, or added where there was none.

- *context*: relative distance ``|in context - alone| / |alone|``, and the cosine of the two;
- *space*: the same between the two ways to write the token alone;
- *path*: the length of the way of the vector from its embedding through the blocks, the sum of the distances
  from block to block, in context and alone; the straight distance beside it tells how crooked the way is.

A token alone stands at position 1, in context later: position is part of the difference, and the first token
after BOS may be half a sink in some blocks, several times as long as in context; the norms show it. A token
that is an attention sink, beside the other tokens in the same place, is NaN in all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from actmax.models.model import Model
from actmax.models.sites import Site
from actmax.progress import Progress, silent
from actmax.selectivity.extract import extract
from actmax.selectivity.sample import Sample, sample_of_text
from actmax.selectivity.settings import Take

PerDepth = Float[np.ndarray, "depths samples"]
"""Depth 0 is the embedding that enters block 0; depth ``i`` the output of block ``i - 1``."""


@dataclass(frozen=True)
class ContextEffect:
    """What context, the leading space and the blocks do to some tokens' vectors."""

    context_distance: PerDepth
    context_cosine: PerDepth
    space_distance: PerDepth
    space_cosine: PerDepth
    path: PerDepth
    """Length of the way up to each depth, in context."""
    path_alone: PerDepth
    straight: PerDepth
    """Distance from the embedding, in context."""
    alone_over_context: PerDepth
    """Norm alone over norm in context: far above 1 where the first token after BOS is half a sink."""


def depths_of(model: Model) -> tuple[Site, ...]:
    """The residual stream before block 0 and after every block."""
    after = [Site(f"blocks.{layer}.hook_resid_post", layer) for layer in range(model.n_blocks)]
    return (Site("blocks.0.hook_resid_pre", 0), *after)


def context_effect(
    model: Model,
    samples: Sequence[Sample],
    *,
    bos: int | None,
    take: Take = "last",
    progress: Progress = silent,
) -> ContextEffect:
    """Read the targets in context, alone, and in their other spelling.

    Raises:
        ActmaxError: as :func:`actmax.selectivity.extract.extract`.
        KeyboardInterrupt: stopped before all was read.
    """
    apart = [alone(sample) for sample in samples]
    other = [respaced(model, sample) for sample in samples]
    read = [_read(model, which, bos, take, progress) for which in (samples, apart, other)]
    sinks = np.any([sinks for _, sinks in read], axis=0)
    inside, isolated, unspaced = (np.where(sinks[:, None], np.nan, vectors) for vectors, _ in read)
    return ContextEffect(
        _distance(inside, isolated),
        _cosine(inside, isolated),
        _distance(unspaced, isolated),
        _cosine(unspaced, isolated),
        path_length(inside),
        path_length(isolated),
        np.linalg.norm(inside - inside[:1], axis=-1),
        np.linalg.norm(isolated, axis=-1) / np.linalg.norm(inside, axis=-1),
    )


def path_length(vectors: Float[np.ndarray, "depths samples width"]) -> PerDepth:
    """The sum of the distances from depth to depth, 0 at the first."""
    steps = np.linalg.norm(np.diff(vectors, axis=0), axis=-1)
    return np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(steps, axis=0)])


def _read(
    model: Model, samples: Sequence[Sample], bos: int | None, take: Take, progress: Progress
) -> tuple[Float[np.ndarray, "depths samples width"], Bool[np.ndarray, " samples"]]:
    acts = extract(model, samples, depths_of(model), bos=bos, take=take, progress=progress)
    if not acts.complete:
        raise KeyboardInterrupt
    vectors = acts.values.astype(np.float64).reshape(len(samples), len(acts.sites), -1).swapaxes(0, 1)
    return vectors, acts.sinks


def alone(sample: Sample) -> Sample:
    """The target's tokens with nothing around them."""
    ids = sample.ids[sample.start : sample.stop]
    return replace(sample, ids=ids, start=0, stop=len(ids), before="", after="")


def respaced(model: Model, sample: Sample) -> Sample:
    """The target alone, without its leading space where it had one, and with one where it had none."""
    written = str(model.tokenizer.decode(list(sample.ids[sample.start : sample.stop])))
    text = written.lstrip(" ") if written.startswith(" ") else f" {written}"
    return sample_of_text(model.tokenizer, text if text.strip() else written)


def _distance(
    a: Float[np.ndarray, "depths samples width"], b: Float[np.ndarray, "depths samples width"]
) -> PerDepth:
    size = np.linalg.norm(b, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.linalg.norm(a - b, axis=-1) / size)


def _cosine(
    a: Float[np.ndarray, "depths samples width"], b: Float[np.ndarray, "depths samples width"]
) -> PerDepth:
    size = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((a * b).sum(axis=-1) / size)
