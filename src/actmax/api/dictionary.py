"""``actmax.dictionary``: what a dictionary is, and whether it fits the model, measured on real text.

1. Read about 1,000 positions of a corpus, spread over it; leave out position 0, BOS and attention sinks (a
   norm of 22,000 beside a median of 150 would own the variance).
2. L0: latents on at a position. FVU: ``Σ‖y - ŷ‖² / Σ‖y - mean(y)‖²`` of what the decoder writes. Dead:
   latents that were on nowhere, which on so few positions is an upper bound.
3. An FVU above 1, or an L0 that differs from the file's by more than 3 times, means that something is wrong
   (another site, a block off by one, another model, a missing scale, BOS). Then the same numbers are taken at
   neighbouring sites of the same width, which often names the cause.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from actmax.api.provenance import manifest_of
from actmax.corpus.corpus import DEFAULT_CORPUS, open_corpus
from actmax.corpus.sinks import calibrate
from actmax.corpus.windows import Windows, windows_of
from actmax.dictionaries.dictionary import Dictionary, TopK
from actmax.dictionaries.load import load_dictionary
from actmax.errors import ActmaxError
from actmax.inputs.bos import bos_id, bos_policy
from actmax.models.attach import with_dictionaries
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sinks import Sinks, residuals_of
from actmax.models.sites import Site, list_sites, site_named, width
from actmax.progress import Progress, silent
from actmax.results.dictionary import MOST_FVU, MOST_L0_RATIO, DictionaryResult, Elsewhere

POSITIONS, _WINDOW, _SPREAD_OVER = 1024, 128, 64_000


class UnfitDictionaryError(ActmaxError):
    """A dictionary does not do on this model what its file says."""


def dictionary(
    model: Model,
    path: str | os.PathLike[str],
    *,
    name: str = "sae",
    fold: bool = True,
    corpus: str = DEFAULT_CORPUS,
    progress: Progress = silent,
) -> DictionaryResult:
    """What a dictionary's file says, and how well it fits the model on real text.

    Args:
        model: that it should have been trained on.
        path: its folder or file, or ``hf:REPO/PATH``.
        name: by which units write it.
        fold: whether decoder norms are folded into the encoder, as Neuronpedia shows latents.
        corpus: text to measure on, as for ``actmax.observe``.
        progress: called with how far reading is.

    Raises:
        ActmaxError: the file cannot be read, or it does not fit the model's widths.
    """
    made = with_dictionaries(model, {name: load_dictionary(path, fold=fold)})
    return fit(made, name, corpus=corpus, progress=progress)


def load_with_dictionaries(
    model: Model,
    paths: Mapping[str, str | os.PathLike[str]],
    *,
    unchecked: bool = False,
    fold: bool = True,
    corpus: str = DEFAULT_CORPUS,
    progress: Progress = silent,
) -> Model:
    """The model with dictionaries whose latents are units.

    Args:
        model: that they should have been trained on.
        paths: name to folder, file or ``hf:REPO/PATH``.
        unchecked: go on although a dictionary does not fit.
        fold: whether decoder norms are folded into the encoder.
        corpus: text that the fit is measured on.
        progress: called with how far reading is.

    Raises:
        UnfitDictionaryError: a dictionary does not do here what its file says; the sentence names causes.
    """
    loaded = {name: load_dictionary(path, fold=fold) for name, path in paths.items()}
    made = with_dictionaries(model, loaded)
    if unchecked:
        return made
    for name in loaded:
        found = fit(made, name, corpus=corpus, progress=progress)
        if not found.fits:
            raise UnfitDictionaryError(
                " ".join(found.conclusion) + " Give --unchecked to go on all the same."
            )
    return made


def fit(
    model: Model, name: str, *, corpus: str = DEFAULT_CORPUS, progress: Progress = silent
) -> DictionaryResult:
    """Measure a dictionary that the model has already.

    Args:
        model: with the dictionary.
        name: of the dictionary.
        corpus: text to measure on.
        progress: called with how far reading is.
    """
    held = dict(model.dictionaries)[name]
    windows = _windows(model, held, corpus, progress)
    sinks = _sinks(model, held, windows)
    y, x = _values(model, held.reads, held.writes, windows, sinks)
    l0, fvu, dead = measure(held, x, y)
    wrong = _wrong(held, l0, fvu)
    elsewhere = _elsewhere(model, held, windows, sinks) if wrong else ()
    return DictionaryResult(
        name=name,
        format=held.format,
        location=held.location,
        sha256=held.sha256,
        model=model.name,
        reads=held.reads,
        writes=held.writes,
        latents=held.n,
        gate=_gate(held),
        folded=held.folded,
        expected_l0=held.expected_l0,
        l0=l0,
        fvu=fvu,
        dead=dead,
        positions=len(x),
        corpus=windows.tokens.name,
        fits=not wrong,
        conclusion=_conclusion(model, held, l0, fvu, wrong, elsewhere),
        manifest=manifest_of(
            model,
            seed=0,
            bos="in front" if windows.bos is not None else "none",
            corpus_sha256=windows.tokens.text_sha256,
        ),
        elsewhere=elsewhere,
    )


def measure(held: Dictionary, x: Tensor, y: Tensor) -> tuple[float, float, float]:
    """L0, FVU and the share of latents that are never on.

    Args:
        held: the dictionary.
        x: ``[position, d]``, what it reads.
        y: ``[position, d_out]``, what it should reconstruct.
    """
    z = held.encode(x)
    rest = (y - held.decode(z, x)).double().square().sum()
    total = (y - y.mean(dim=0)).double().square().sum()
    on = z != 0
    return float(on.sum(dim=1).double().mean()), float(rest / total), float((~on.any(dim=0)).double().mean())


def _windows(model: Model, held: Dictionary, corpus: str, progress: Progress) -> Windows:
    tokens = open_corpus(corpus, model.tokenizer, field="text", max_tokens=_SPREAD_OVER, progress=progress)
    begins = {True: "always", False: "never", None: "auto"}[held.prepend_bos]
    bos = bos_id(model.tokenizer, bos_policy(begins))
    length = min(_WINDOW, model.context, held.context_size or _WINDOW)
    return windows_of(tokens, length=length, bos=bos, max_tokens=2 * POSITIONS)


def _sinks(model: Model, held: Dictionary, windows: Windows) -> Mapping[Site, Sinks]:
    depths = residuals_of(model, [site_named(name) for name in (held.reads, held.writes)])
    return calibrate(model, windows, depths)


@torch.no_grad()
def _values(
    model: Model, reads: str, writes: str, windows: Windows, sinks: Mapping[Site, Sinks]
) -> tuple[Tensor, Tensor]:
    """What is written and what is read, ``[position, d]`` each, without position 0 and sinks."""
    inner, outer = site_named(reads), site_named(writes)
    written, seen = [], []
    for k in range(windows.n_windows):
        batch = windows.batch(k, k + 1)
        acts = read(model, {inner, outer, *sinks}, ids=batch.ids.to(model.device))
        real = batch.valid.to(model.device)
        for site, rule in sinks.items():
            real = real & ~rule.mask(acts[site])
        written.append(acts[outer][real])
        seen.append(acts[inner][real])
    y, x = torch.cat(written)[:POSITIONS].float(), torch.cat(seen)[:POSITIONS].float()
    if len(x) < 2:
        raise ActmaxError(
            f"The corpus {windows.tokens.name!r} is too short to check a dictionary on; give a longer one, "
            "or --unchecked."
        )
    return y, x


def _wrong(held: Dictionary, l0: float, fvu: float) -> bool:
    expected = held.expected_l0
    apart = expected is not None and not expected / MOST_L0_RATIO <= l0 <= expected * MOST_L0_RATIO
    return not fvu <= MOST_FVU or apart


def _elsewhere(
    model: Model, held: Dictionary, windows: Windows, sinks: Mapping[Site, Sinks]
) -> tuple[Elsewhere, ...]:
    """The same numbers one block up and down, and at the other residual sites of the block."""
    site = site_named(held.reads)
    if site.layer is None or held.is_transcoder:
        return ()
    names = [f"blocks.{layer}.{site.kind}" for layer in (site.layer - 1, site.layer + 1)]
    names += [f"blocks.{site.layer}.hook_resid_{place}" for place in ("pre", "mid", "post")]
    have = list_sites(model)
    found = []
    for name in dict.fromkeys(names):
        if name == held.reads or name not in have or width(model, site_named(name)) != held.d:
            continue
        y, x = _values(model, name, name, windows, sinks)
        l0, fvu, _ = measure(replace(held, reads=name, writes=name), x, y)
        found.append(Elsewhere(name, fvu, l0))
    return tuple(sorted(found, key=lambda one: one.fvu))


def _gate(held: Dictionary) -> str:
    if isinstance(held.gate, TopK):
        return f"top-{held.gate.k}"
    return type(held.gate).__name__.lower()


def _conclusion(
    model: Model, held: Dictionary, l0: float, fvu: float, wrong: bool, elsewhere: tuple[Elsewhere, ...]
) -> tuple[str, ...]:
    said = "" if held.expected_l0 is None else f" (its file says {held.expected_l0:.4g})"
    measured = (
        f"On real text the dictionary {held.location!r} at {held.reads} leaves {100 * fvu:.4g} % of the "
        f"variance unexplained, with {l0:.4g} latents on at a position{said}."
    )
    if not wrong:
        return (measured,)
    better = next((one for one in elsewhere if one.fvu < min(MOST_FVU, fvu / 2)), None)
    if better is not None:
        return (measured, f"At {better.site} it leaves {100 * better.fvu:.4g} %: it was trained there.")
    causes = ["another site or block", "another model (base against instruction-tuned)", "a missing scale"]
    causes.append("BOS" if held.prepend_bos is None else "another context length")
    trained = f" It was trained on {held.model_name}, and this is {model.name}." if held.model_name else ""
    return (measured, f"Likely causes: {', '.join(causes)}.{trained}")
