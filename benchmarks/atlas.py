"""What recording costs: a bare forward pass against top-20 and statistics of all neurons and residual dims.

Both passes go to the same depth (the output of the last block) over the same windows, in turns, so that a
busy machine slows both; each round's two times give one ratio, and the median of the ratios is what counts.
Rounds come in stretches of three batches, about a document, spread over the corpus. A list of examples that
is still empty takes every document, later ones seldom enter; so before each stretch the recorder is shown,
unmeasured, the beginnings of the documents that come before it, as many documents as a build has seen there.

    python benchmarks/atlas.py [--rounds 24] [--warm 2]
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from actmax.api.load import load
from actmax.corpus.corpus import DEFAULT_CORPUS, open_corpus
from actmax.corpus.sinks import calibrate
from actmax.corpus.windows import Windows, windows_of
from actmax.inputs.bos import bos_id
from actmax.models.read import read
from actmax.models.sinks import residuals_of
from actmax.models.sites import Site, width
from actmax.observation.recorder import AT_ONCE, Recorder, keep_memory, recorder

STRETCH = 3
"""Batches that follow one another."""
BEGINNING = 4
"""Windows of each document before a stretch."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=24, help="rounds that are measured (default 24)")
    parser.add_argument("--warm", type=int, default=2, help="rounds before these (default 2)")
    given = parser.parse_args()
    keep_memory()
    model = load()
    kinds = ("mlp.hook_post", "hook_resid_post")
    sites = [Site(f"blocks.{layer}.{kind}", layer) for layer in range(model.n_blocks) for kind in kinds]
    last = Site(f"blocks.{model.n_blocks - 1}.hook_resid_post", model.n_blocks - 1)
    tokens = open_corpus(DEFAULT_CORPUS, model.tokenizer)
    windows = windows_of(tokens, bos=bos_id(model.tokenizer, "auto"))
    rule = calibrate(model, windows, residuals_of(model, sites))
    recording = recorder(model, sites, rule)
    total = given.warm + given.rounds
    seen = 0
    bare: list[float] = []
    full: list[float] = []
    for k in range(total):
        stretch, step = divmod(k, STRETCH)
        start = stretch * (windows.n_windows // -(-total // STRETCH)) + step * AT_ONCE
        seen = show_beginnings(recording, windows, seen, start) if not step else start + AT_ONCE
        batch = windows.batch(start, start + AT_ONCE)
        runs = [
            lambda batch=batch: bare_pass(model, last, batch.ids),
            lambda batch=batch: recording.record(batch),
        ]
        times = [0.0, 0.0]
        for which in (0, 1) if k % 2 else (1, 0):
            began = time.perf_counter()
            runs[which]()
            times[which] = time.perf_counter() - began
        if k >= given.warm:
            bare.append(times[0])
            full.append(times[1])
            print(
                f"round {k:3d}: bare {times[0]:.3f} s, recording {times[1]:.3f} s,"
                f" ratio {times[1] / times[0]:.3f}"
            )
    positions = AT_ONCE * windows.length
    neurons = sum(width(model, site) for site in sites if site.kind == "mlp.hook_post")
    dims = sum(width(model, site) for site in sites if site.kind == "hook_resid_post")
    ratio = statistics.median(b / a for a, b in zip(bare, full, strict=True))
    speed = positions / statistics.median(full)
    print(
        f"{neurons:,} neurons and {dims:,} residual dimensions, both signs, {torch.get_num_threads()} threads"
    )
    print(f"bare      {positions / statistics.median(bare):8.0f} tokens/s")
    print(f"recording {speed:8.0f} tokens/s")
    print(f"ratio     {ratio:8.3f} (median of {len(bare)} rounds; of the sums {sum(full) / sum(bare):.3f})")
    print(f"10 million tokens: {1e7 / speed / 3600:.1f} hours")


def show_beginnings(recording: Recorder, windows: Windows, seen: int, start: int) -> int:
    """Record the first windows of each document that begins between two windows."""
    documents = windows.batch(seen, start).document.tolist() if start > seen else []
    for k in range(len(documents)):
        if k == 0 or documents[k] != documents[k - 1]:
            recording.record(windows.batch(seen + k, min(start, seen + k + BEGINNING)))
    return start


def bare_pass(model, site, ids) -> None:  # type: ignore[no-untyped-def]
    with torch.inference_mode():
        read(model, [site], ids=ids)


if __name__ == "__main__":
    main()
