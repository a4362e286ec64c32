"""Results as a search would give them, made without a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from actmax.results.compare import CompareResult, Failed
from actmax.results.manifest import Manifest
from actmax.results.maximize import MaximizeResult
from actmax.results.run import (
    Along,
    Best,
    Candidate,
    CorpusMaximum,
    Cost,
    Isolation,
    NearToken,
    RandomTokens,
    Run,
    Trajectory,
)

WORDS = (
    " gradient",
    "ness",
    "\n\n",
    " the",
    "…",
    " Paris",
    "ол",
    "<|im_end|>",
    " naïve",
    "0",
    "\t",
    "日本",
    " quart",
)
HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=http://example.com/x onerror=alert(2)>",
    "\x1b[31mred\x1b[0m",
    "\u202eesrever\u202c",
    "\x00nul",
    '" onmouseover="alert(3)',
    "{{ 7 * 7 }}{% raw %}",
    "\ud83d",
    "\u0301",
    "$x_1$ & ]]> <!--",
    "a" * 3000,
)


def soft_result(
    *, restarts: int = 10, length: int = 5, steps: int = 500, d_model: int = 576, vocab: int = 49_152
) -> MaximizeResult:
    """Ten restarts of gradient ascent on soft vectors, with numbers as the default model gives them."""
    rng = np.random.default_rng(0)
    runs = tuple(_soft_run(k, length, steps, rng) for k in range(restarts))
    best = max(runs, key=lambda run: run.activation_final)
    start = rng.normal(0, 0.12, (restarts, length, d_model))
    optimum = start * 0.6 + rng.laplace(0, 0.08, start.shape) + 0.35 * (rng.random(d_model) > 0.96)
    cosine = rng.normal(0, 0.035, (length, vocab))
    for position, near in enumerate(best.top_tokens):
        for token in near:
            cosine[position, token.id % vocab] = token.cosine
    before, after = rng.normal(0, 1, d_model), rng.normal(0, 9, d_model)
    before[90], after[90] = -0.4, best.activation_final
    chance = np.sort(rng.normal(0.62, 0.65, 1000))
    tensors = {
        "start": start,
        "optimum": optimum,
        "site_before": before,
        "site_after": after,
        "embedding_sample": rng.normal(0, 0.125, 20_000),
    }
    return MaximizeResult(
        unit="hidden_states.4:90",
        site="blocks.3.hook_resid_post",
        index=90,
        model="smollm2-135m",
        method="soft-ascent",
        seed=0,
        positions="mean",
        settings={
            "length": length,
            "steps": steps,
            "lr": 0.001,
            "l2": 0.01,
            "project": False,
            "init_text": None,
        },
        objective="mean over positions of hidden_states.4:90 − 0.01 × squared L2 norm",
        runs=runs,
        best=Best(best.restart, best.activation_final, best.text),
        cost=Cost(restarts * length * steps, restarts * length * steps, 0, 17.3),
        manifest=manifest(),
        neighbors=tuple(i for i in range(85, 96) if i != 90),
        random_tokens=RandomTokens(
            len(chance),
            float(chance.mean()),
            float(chance.std()),
            float(chance.max()),
            tuple(chance.tolist()),
        ),
        isolation=Isolation(301, 1, -0.4, float(after[90] / after.std()), d_model),
        tensors={name: torch.tensor(value, dtype=torch.float32) for name, value in tensors.items()}
        | {"cosine": torch.tensor(cosine, dtype=torch.float16)},
    )


def token_result() -> MaximizeResult:
    """A search over token ids: a trajectory per budget, no cosines, a frontier and a corpus maximum."""
    soft = soft_result(restarts=3, steps=40, vocab=100)
    runs = tuple(
        replace(
            run,
            activation_final=value,
            activation_of_ids=value,
            activation_of_text=value - 0.3 * (run.restart == 1),
            trajectory=Trajectory(
                tuple(range(0, 4000, 100)),
                tuple(value * (1 - 0.97**k) for k in range(40)),
                (),
                tuple([0.1] * 40),
            ),
            cosine=(),
            top_tokens=(),
            along=along(run.tokens, value),
        )
        for run, value in zip(soft.runs, (6.1, 7.4, 5.2), strict=True)
    )
    frontier = tuple(
        Candidate(7.4 - k, 9.0 / (k + 1), f" text {k}", (k, k + 1), along((" text", f" {k}"), 7.4 - k))
        for k in range(4)
    )
    return replace(
        soft,
        method="epo",
        runs=runs,
        best=Best(1, 7.4, runs[1].text),
        cost=Cost(60_000, 2_000, 12_000, 83.0),
        corpus_maximum=CorpusMaximum(11.2, 391_000, "wikipedia-excerpt", "ab" * 32),
        frontier=frontier,
        settings={"population": 8, "budget": 4000},
        tensors={},
    )


def along(tokens: tuple[str, ...], last: float) -> Along:
    """The unit along some tokens, up to the last."""
    n = len(tokens)
    return Along(tokens, (*(last * (k / n - 0.3) for k in range(n - 1)), last), n - 1)


def compare_result() -> CompareResult:
    """Three methods over tokens and one over vectors."""
    token = token_result()
    fewer = tuple(
        replace(
            run,
            activation_final=0.8 * run.activation_final,
            activation_of_ids=0.8 * run.activation_of_ids,
            trajectory=replace(
                run.trajectory, activation=tuple(0.8 * value for value in run.trajectory.activation)
            ),
        )
        for run in token.runs
    )
    gcg = replace(
        token,
        method="gcg",
        runs=fewer,
        best=replace(token.best, activation=0.8 * token.best.activation),
        frontier=tuple(replace(one, activation=one.activation + 0.3) for one in token.frontier[1:]),
        solutions=token.frontier[:2],
    )
    soft = replace(soft_result(restarts=2, steps=20, vocab=100), corpus_maximum=token.corpus_maximum)
    bare = replace(gcg, method="random", runs=fewer[:1], best=replace(gcg.best, restart=0), frontier=())
    return CompareResult.of(
        [gcg, token, bare, soft], failed=[Failed("pez", "Nothing that pez scored may be given.")]
    )


def hostile_comparison() -> CompareResult:
    """As :func:`hostile_result`, for the page of several methods."""
    one = hostile_result()
    evil = one.model
    token = replace(
        one,
        method=f"epo{evil}",
        runs=tuple(
            replace(run, cosine=(), along=Along(HOSTILE, (1.0,) * len(HOSTILE), 3)) for run in one.runs
        ),
        frontier=(Candidate(1.0, 2.0, evil, (1,), Along(HOSTILE, (-1.0,) * len(HOSTILE), None)),),
        solutions=(Candidate(1.0, 2.0, evil, (1,)), Candidate(0.5, 2.0, evil, (2,))),
        settings={"prefix": evil, evil: evil},
        positions=evil,
    )
    return CompareResult.of([token, one], complete=False, failed=[Failed(evil, evil)])


def hostile_result() -> MaximizeResult:
    """Tokens, texts, names and sentences that try to break out of the page or to mislead its reader."""
    soft = soft_result(restarts=2, steps=20, d_model=100, vocab=200)
    evil = "".join(HOSTILE[:7])
    near = tuple(tuple(NearToken(text, i, 0.1) for i, text in enumerate(HOSTILE)) for _ in HOSTILE)
    runs = tuple(
        replace(
            run,
            tokens=HOSTILE,
            ids=tuple(range(len(HOSTILE))),
            cosine=(0.1,) * len(HOSTILE),
            text=evil,
            top_tokens=near,
            stopped=f"the loss was not finite {evil}",
        )
        for run in soft.runs
    )
    return replace(
        soft,
        unit=f"hidden_states.4:90{evil}",
        model=evil,
        method=evil,
        objective=evil,
        settings={evil: evil},
        runs=runs,
        best=replace(soft.best, text=evil),
        frontier=(Candidate(1.0, 2.0, evil, (1,)),),
        corpus_maximum=CorpusMaximum(1.0, 2, evil, evil),
        manifest=replace(soft.manifest, command=f"actmax maximize '{evil}'", model=evil),
    )


def manifest() -> Manifest:
    return Manifest(
        model="smollm2-135m",
        revision=None,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        tokenizer_sha256="0f" * 32,
        family="llama",
        dtype="float32",
        device="cpu",
        versions={
            "python": "3.11.2",
            "actmax": "0.1.0",
            "torch": "2.13.0",
            "transformers": "5.23.0",
            "numpy": "2.3.1",
        },
        command="actmax maximize hidden_states.4:90 --restarts 10 --out runs/demo",
        seed=0,
        corpus_sha256=None,
        vocabulary_mask={"rule": "none", "allowed": 49_152},
        bos="auto (none added)",
        created="2026-01-31T12:00:00Z",
    )


def _soft_run(k: int, length: int, steps: int, rng: np.random.Generator) -> Run:
    final = rng.uniform(199, 257)
    first = rng.normal(-0.5, 1)
    t = np.arange(steps) / max(steps - 1, 1)
    rise = first + (final - first) * (1 - np.exp(-3 * t * t)) / (1 - np.exp(-3))
    norm = 0.8 + 4 * np.exp(-((t - 0.35) ** 2) / 0.03) + rng.normal(0, 0.05, steps) ** 2
    tokens = tuple(str(word) for word in rng.choice(WORDS, length))
    top = tuple(
        tuple(
            NearToken(str(rng.choice(WORDS)), int(rng.integers(90)), float(c))
            for c in sorted(rng.uniform(0.09, 0.19, 5), reverse=True)
        )
        for _ in range(length)
    )
    decoded = float(rng.normal(0.57, 0.5))
    return Run(
        restart=k,
        activation_initial=float(first),
        activation_final=float(rise[-1]),
        trajectory=Trajectory(
            tuple(range(steps)),
            tuple(rise.tolist()),
            tuple(norm.tolist()),
            tuple((rng.normal(0, 0.3) + 3 * t * rng.normal(0, 1)).tolist()),
        ),
        ids=tuple(int(i) for i in rng.integers(0, 49_152, length)),
        tokens=tokens,
        text="".join(tokens),
        cosine=tuple(near[0].cosine for near in top),
        activation_of_ids=decoded,
        activation_of_text=decoded + float(rng.normal(0, 0.3)),
        retokenizes=bool(rng.random() < 0.65),
        cross_entropy=float(rng.uniform(9, 14)),
        top_tokens=top,
    )
