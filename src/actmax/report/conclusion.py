"""One sentence that the numbers of a search allow, by rules that are written here.

Activations are compared in the direction of the search (for ``--minimize`` smaller is better). With ``n``
restarts, ``m`` and ``s`` mean and standard deviation over random token sequences:

For vectors (soft methods), what their nearest tokens give:

1. no restart gave finite numbers: nothing was found.
2. the best vectors do not pass the best random sequence: not even free vectors move the unit.
3. the mean over restarts is at most ``m + 2 s / √n``: no more than random tokens; the tokens explain nothing.
4. no restart passes the best random sequence: more than chance, but random search does as well.
5. the best restart passes it, but goes less than half of the way from ``m`` to what the vectors reach: the
   tokens explain a part.
6. the best restart goes at least half of that way: the tokens explain most of it.

For tokens (the ids are the result):

7. the best does not pass the best random sequence: the search found nothing that chance does not.
8. otherwise it did; where a corpus maximum is known, the share of it is said.

Where a corpus maximum is known, what vectors reach is also said as a multiple of it.
"""

from __future__ import annotations

import math

from actmax.legible import LONGEST, visible
from actmax.numbers import count, number, percent
from actmax.results.maximize import MaximizeResult
from actmax.results.run import RandomTokens


def conclusion(result: MaximizeResult) -> str:
    """The sentence (plain text; tokens made visible)."""
    best = result.best.activation
    if not math.isfinite(best):
        return "No restart gave a finite activation: nothing was found."
    return _of_vectors(result, best) if result.is_soft else _of_tokens(result, best)


def _of_vectors(result: MaximizeResult, best: float) -> str:
    sign = -1.0 if result.minimize else 1.0
    decoded = [run.activation_of_ids for run in result.runs if math.isfinite(run.activation_of_ids)]
    start = f"{_search(result)} reached {number(best)}{_beside_text(result, best)}"
    if not decoded:
        return f"{start}; the model gave no finite activation on the nearest real tokens."
    mean, top = sum(decoded) / len(decoded), sign * max(sign * value for value in decoded)
    real = "the nearest real tokens give " + (
        number(mean)
        if len(decoded) == 1
        else f"{number(mean)} on average over {count(len(decoded))} restarts"
    )
    random = result.random_tokens
    if random is None:
        return f"{start}; {real}."
    chance = random_best(random, minimize=result.minimize)
    versus = f"random tokens (mean {number(random.mean)}, best of {count(random.n)}: {number(chance)})"
    if sign * best <= sign * chance:
        return f"{start}, no more than {versus}: not even free vectors move this unit."
    if sign * mean <= sign * random.mean + 2 * random.std / math.sqrt(len(decoded)):
        return f"{start}; {real}, no more than {versus}: these tokens do not explain the unit."
    if sign * top <= sign * chance:
        return f"{start}; {real}, more than {versus} on average, but none beats the best of them: " + (
            "these tokens explain little of the unit."
        )
    share = (top - random.mean) / (best - random.mean)
    much = "most" if share >= 0.5 else "a part"
    return (
        f"{start}; the best of the nearest real tokens give {number(top)}, more than {versus} and "
        f"{percent(share)} of the way to the vectors: these tokens explain {much} of it."
    )


def _beside_text(result: MaximizeResult, best: float) -> str:
    corpus = result.corpus_maximum
    if corpus is None or not corpus.value * best > 0:
        return ""
    return (
        f", {number(best / corpus.value)} times the {'smallest' if result.minimize else 'largest'} in "
        f"{count(corpus.n_tokens)} tokens of {corpus.corpus} ({number(corpus.value)})"
    )


def _of_tokens(result: MaximizeResult, best: float) -> str:
    sign = -1.0 if result.minimize else 1.0
    text = visible(result.best.text[:LONGEST]) + ("…" if len(result.best.text) > LONGEST else "")
    start = f"The best text found, “{text}”, gives {number(best)}"
    corpus = result.corpus_maximum
    beside = ""
    if corpus is not None and corpus.value * best > 0:
        beside = (
            f", {percent(best / corpus.value)} of the best in {count(corpus.n_tokens)} tokens of "
            f"{corpus.corpus} ({number(corpus.value)})"
        )
    random = result.random_tokens
    if random is None:
        return f"{start}{beside}."
    chance = random_best(random, minimize=result.minimize)
    versus = f"the best of {count(random.n)} random sequences ({number(chance)})"
    if sign * best <= sign * chance:
        return f"{start}{beside}, no more than {versus}: the search found nothing that chance does not."
    return f"{start}{beside}, more than {versus}."


def _search(result: MaximizeResult) -> str:
    names = {"soft-ascent": "Gradient descent" if result.minimize else "Gradient ascent"}
    return f"{names.get(result.method, result.method)} on soft vectors"


def random_best(random: RandomTokens, *, minimize: bool) -> float:
    """The best activation among random sequences in the direction of the search."""
    return min(random.activations, default=math.nan) if minimize else random.max
