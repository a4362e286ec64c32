"""Reading samples of unequal length: batches of one length, batches with padding, and one at a time.

    python benchmarks/select_extract.py [--samples 64] [--blocks 8]

All three give the same numbers; the largest difference is printed.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import actmax
from actmax.corpus.corpus import DEFAULT_CORPUS, open_corpus
from actmax.inputs.bos import bos_id
from actmax.selectivity import extract as extracting
from actmax.selectivity.extract import extract
from actmax.selectivity.groups import SampleSource
from actmax.selectivity.named import parse_group
from actmax.selectivity.settings import Batching
from actmax.selectivity.sites import match_sites


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=8)
    given = parser.parse_args()
    model = actmax.load()
    corpus = open_corpus(DEFAULT_CORPUS, model.tokenizer)
    rng = np.random.default_rng(0)
    samples = [
        sample
        for window in (4, 8, 16)
        for sample in parse_group("negation")
        .samples(SampleSource(model.tokenizer, corpus, window, most=given.samples // 3), rng)
        .samples
    ]
    sites = match_sites(model, [f"blocks.{k}.mlp.hook_pre" for k in range(given.blocks)])
    bos = bos_id(model.tokenizer)
    extract(model, samples[:8], sites, bos=bos)  # warm up
    results = {}
    ways: tuple[tuple[str, Batching, int], ...] = (
        ("packed", "packed", 640),
        ("padded", "padded", 640),
        ("one by one", "packed", 1),
    )
    for name, batching, at_once in ways:
        extracting.TOKENS_AT_ONCE = at_once
        start = time.perf_counter()
        acts = extract(model, samples, sites, bos=bos, batching=batching)
        seconds = time.perf_counter() - start
        results[name] = acts.values
        tokens = sum(len(sample.ids) + 1 for sample in samples)
        print(
            f"{name:>10}: {seconds:.2f} s, {tokens / seconds:,.0f} tokens/s, {acts.values.shape[1]:,} units"
        )
    for name in ("packed", "padded"):
        apart = np.abs(results[name] - results["one by one"]).max()
        print(f"largest difference of {name} from one by one: {apart:.1e}")


if __name__ == "__main__":
    main()
