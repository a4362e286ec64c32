"""Every format against its published formula, on what transformers itself gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.dictionaries.writers import B_DEC, NORMS, W_DEC, W_ENC, WRITERS, D, N, sae_lens_6, save
from tests.tiny import tiny_model

from actmax.dictionaries.load import dictionary_formats, load_dictionary
from actmax.errors import ActmaxError
from actmax.models.attach import with_dictionaries
from actmax.models.read import read
from actmax.models.sites import resolve, resolve_site

IDS = torch.tensor([[5, 9, 70, 33, 8], [4, 4, 100, 2, 61]])


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
@pytest.mark.parametrize("name", WRITERS)
def test_latents_are_those_of_the_published_formula(tmp_path: Path, name: str, family: str) -> None:
    path, formula = WRITERS[name](tmp_path)
    sae = load_dictionary(path, fold=False)
    model = with_dictionaries(tiny_model(family), {"sae": sae})
    latents, base = resolve(model, "sae:0").site, resolve_site(model, sae.reads)
    with torch.no_grad():
        found = read(model, [latents, base], ids=IDS)
    expected = formula(found[base].double().flatten(0, 1).numpy())
    assert (expected > 0).mean() > 0.05
    np.testing.assert_allclose(
        found[latents].flatten(0, 1).numpy(), expected, rtol=1e-5, atol=1e-5 * expected.max()
    )


@pytest.mark.parametrize("name", WRITERS)
def test_folding_scales_latents_by_the_norms_of_the_decoder(tmp_path: Path, name: str) -> None:
    path, _ = WRITERS[name](tmp_path)
    plain, folded = load_dictionary(path, fold=False), load_dictionary(path)
    x = torch.tensor(np.random.default_rng(0).standard_normal((20, D)), dtype=torch.float32)
    before, after = plain.encode(x), folded.encode(x)
    scale = torch.tensor(NORMS, dtype=torch.float32) if folded.folded and not plain.folded else torch.ones(N)
    torch.testing.assert_close(after, before * scale, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(folded.decode(after, x), plain.decode(before, x), rtol=1e-4, atol=1e-3)


def test_every_format_is_written_by_a_test() -> None:
    assert {name.split()[0] for name in WRITERS} == set(dictionary_formats())


def test_one_column_is_one_column(tmp_path: Path) -> None:
    sae = load_dictionary(sae_lens_6("jumprelu")(tmp_path)[0])
    x = torch.randn(7, D, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sae.encode(x, [3]), sae.encode(x)[..., 3:4])
    torch.testing.assert_close(sae.preactivations(x, [3]), sae.preactivations(x)[..., 3:4])


def test_a_reconstruction_is_that_of_numpy(tmp_path: Path) -> None:
    path, formula = sae_lens_6("standard", normalize_activations="layer_norm")(tmp_path)
    sae = load_dictionary(path)
    x = np.random.default_rng(0).standard_normal((5, D))
    given = torch.tensor(x, dtype=torch.float32)
    spread = x.std(axis=1, ddof=1, keepdims=True)
    expected = (formula(x) @ W_DEC + B_DEC) * spread + x.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(sae.decode(sae.encode(given), given).numpy(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"architecture": "temporal"}, "not a function of one position"),
        ({"architecture": "matching_pursuit"}, "not a function of one position"),
        ({"architecture": "magic"}, "unknown architecture 'magic'"),
        ({"normalize_activations": "expected_average_only_in"}, "whose factor is not in the file"),
        ({"architecture": "topk"}, "names no k"),
        ({"metadata": {}}, "names no hook_name"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    path, _ = sae_lens_6("standard", **change)(tmp_path)
    with pytest.raises(ActmaxError, match=sentence):
        load_dictionary(path)


def test_bad_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ActmaxError, match="There is no dictionary at"):
        load_dictionary(tmp_path / "nothing")
    with pytest.raises(ActmaxError, match="is empty; give the folder"):
        load_dictionary(tmp_path)
    (tmp_path / "ae.pt").write_bytes(b"\x80\x04")
    with pytest.raises(ActmaxError, match=r"is a pickle.*weights_only=True"):
        load_dictionary(tmp_path)
    with pytest.raises(ActmaxError, match="is a pickle"):
        load_dictionary(tmp_path / "ae.pt")
    folder, _ = sae_lens_6("standard")(tmp_path / "sae")
    weights = folder / "sae_weights.safetensors"
    save(weights, W_enc=W_ENC, W_dec=W_DEC, b_dec=B_DEC)
    with pytest.raises(ActmaxError, match="has no tensor b_enc"):
        load_dictionary(folder)
    save(weights, W_enc=W_ENC, W_dec=W_DEC, b_dec=B_DEC, b_enc=np.zeros(N - 1))
    with pytest.raises(ActmaxError, match=r"b_enc has the shape \(39,\) instead of \(40,\)"):
        load_dictionary(folder)
    save(weights, W_enc=W_ENC, W_dec=W_DEC, b_dec=B_DEC, b_enc=np.full(N, np.nan))
    with pytest.raises(ActmaxError, match="not finite in b_enc"):
        load_dictionary(folder)
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ActmaxError, match="cannot be read"):
        load_dictionary(folder)
    (folder / "cfg.json").write_text("[1]")
    with pytest.raises(ActmaxError, match="should hold an object"):
        load_dictionary(folder)


def test_a_pickled_archive_is_never_opened(tmp_path: Path) -> None:
    place = tmp_path / "gemma-scope-2b-pt-res" / "layer_1"
    place.mkdir(parents=True)
    np.savez(place / "params.npz", W_enc=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ActmaxError, match="cannot be read"):
        load_dictionary(place)
