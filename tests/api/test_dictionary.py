"""Whether a dictionary fits: a known answer, and the site that it was made for is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.dictionaries.writers import sae_lens_6
from tests.small_corpus import small_corpus
from tests.tiny import WIDTH, tiny_model

from actmax.api.dictionary import UnfitDictionaryError, fit, load_with_dictionaries, measure
from actmax.api.load import named_paths
from actmax.dictionaries.dictionary import Dictionary
from actmax.errors import ActmaxError
from actmax.models.attach import with_dictionaries
from actmax.models.model import Model

SITE = "blocks.1.hook_resid_post"
EYE = torch.eye(WIDTH)


def perfect(model: Model, site: str = SITE) -> Dictionary:
    """``relu(x) - relu(-x) = x``: two latents for every dimension explain everything."""
    return Dictionary(
        "test",
        site,
        site,
        torch.cat([EYE, -EYE], dim=1),
        torch.zeros(2 * WIDTH),
        torch.cat([EYE, -EYE]),
        torch.zeros(WIDTH),
        expected_l0=float(WIDTH),
        prepend_bos=True,
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


def test_measures_of_a_perfect_dictionary() -> None:
    x = torch.randn(50, WIDTH, generator=torch.Generator().manual_seed(0))
    l0, fvu, dead = measure(perfect(tiny_model()), x, x)
    assert l0 == WIDTH
    assert fvu < 1e-10
    assert dead == 0
    half = replace(perfect(tiny_model()), W_dec=torch.cat([EYE, -EYE]) * 0.0)
    assert measure(half, x, x)[1] == pytest.approx(float(x.square().sum() / (x - x.mean(0)).square().sum()))


def test_a_dictionary_that_fits_says_so(corpus: str) -> None:
    model = with_dictionaries(tiny_model(), {"sae": perfect(tiny_model())})
    found = fit(model, "sae", corpus=corpus)
    assert found.fits
    assert found.fvu < 1e-6
    assert found.l0 == pytest.approx(WIDTH, abs=0.5)
    assert found.elsewhere == ()


def test_a_dictionary_that_does_not_fit_says_why(corpus: str) -> None:
    """A decoder bias that is far off explains less than the mean does."""
    model = tiny_model()
    wrong = replace(perfect(model), b_dec=torch.full((WIDTH,), 50.0), expected_l0=None)
    found = fit(with_dictionaries(model, {"sae": wrong}), "sae", corpus=corpus)
    assert not found.fits
    assert found.fvu > 1
    assert "Likely causes" in " ".join(found.conclusion)
    assert {one.site for one in found.elsewhere} >= {"blocks.0.hook_resid_post", "blocks.2.hook_resid_post"}


def test_loading_refuses_what_does_not_fit_unless_told_to_go_on(tmp_path: object, corpus: str) -> None:
    path = str(sae_lens_6("standard")(tmp_path)[0])  # type: ignore[arg-type]
    with pytest.raises(UnfitDictionaryError, match="--unchecked"):
        load_with_dictionaries(tiny_model(), {"sae": path}, corpus=corpus)
    assert load_with_dictionaries(tiny_model(), {"sae": path}, unchecked=True).dictionaries[0][0] == "sae"


def test_names_of_dictionaries_on_the_command_line() -> None:
    assert named_paths(["runs/d", "b=runs/e"]) == {"sae": "runs/d", "b": "runs/e"}
    assert named_paths(["folder/a=b"]) == {"sae": "folder/a=b"}
    with pytest.raises(ActmaxError, match="Two dictionaries are named 'sae'"):
        named_paths(["runs/d", "runs/e"])
