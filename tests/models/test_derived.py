"""Latents as sites: equal to the formula on the site's own value, with gradients and edits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.tiny import WIDTH, tiny_model
from torch import Tensor

from actmax.dictionaries.dictionary import Dictionary, JumpRelu, TopK
from actmax.errors import ActmaxError
from actmax.models.attach import with_dictionaries
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sites import Site, list_sites, resolve, resolve_site

N = 48
IDS = torch.tensor([[5, 9, 70, 33, 8], [4, 4, 100, 2, 61]])


def dictionary(
    reads: str = "blocks.1.hook_resid_post", writes: str | None = None, seed: int = 0
) -> Dictionary:
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng)

    return Dictionary(
        "test",
        reads,
        writes or reads,
        draw(WIDTH, N),
        draw(N),
        draw(N, WIDTH),
        draw(WIDTH),
        subtract_b_dec=True,
    )


def with_sae(family: str = "llama", **changes: object) -> tuple[Model, Dictionary]:
    made = replace(dictionary(), **changes)  # type: ignore[arg-type]
    return with_dictionaries(tiny_model(family), {"sae": made}), made


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_latents_are_the_formula_on_the_value_of_the_site(family: str) -> None:
    model, sae = with_sae(family, gate=JumpRelu(torch.full((N,), 0.5)))
    post, pre, base = (
        resolve_site(model, f"blocks.1.hook_resid_post{end}")
        for end in (".hook_sae_acts_post", ".hook_sae_acts_pre", "")
    )
    found = read(model, [post, pre, base], ids=IDS)
    h = (found[base] - sae.b_dec) @ sae.W_enc + sae.b_enc
    torch.testing.assert_close(found[pre], h)
    torch.testing.assert_close(found[post], torch.where(h > 0.5, h, 0))


def test_a_unit_is_written_by_the_name_of_its_dictionary() -> None:
    model, _ = with_sae()
    assert resolve(model, "sae:7").site.name == "blocks.1.hook_resid_post.hook_sae_acts_post"
    assert resolve(model, "sae.pre:7").site.name == "blocks.1.hook_resid_post.hook_sae_acts_pre"
    assert resolve(model, "blocks.1.hook_resid_post.hook_sae_acts_post:7").index == 7
    assert list_sites(model)["blocks.1.hook_resid_post.hook_sae_acts_post"] == N
    with pytest.raises(ActmaxError, match="0 to 47"):
        resolve(model, "sae:48")


def test_two_dictionaries_on_one_site_are_told_apart() -> None:
    model = with_dictionaries(tiny_model("llama"), {"a": dictionary(), "b": dictionary(seed=1)})
    a, b = (resolve(model, f"{name}:3") for name in "ab")
    assert a.site != b.site
    found = read(model, [a.site, b.site], ids=IDS)
    assert not torch.allclose(found[a.site], found[b.site])
    with pytest.raises(ActmaxError, match="cannot name a dictionary"):
        with_dictionaries(model, {"a": dictionary()})


def test_an_edit_adds_its_decoder_row_and_keeps_what_is_not_explained() -> None:
    model, sae = with_sae()
    latent, base = resolve(model, "sae:7").site, resolve_site(model, "blocks.1.hook_resid_post")
    plain = read(model, [base, latent], ids=IDS)

    def ablate(z: Tensor) -> Tensor:
        return torch.cat([z[..., :7], torch.zeros_like(z[..., 7:8]), z[..., 8:]], dim=-1)

    edited = read(model, [base], ids=IDS, edits={latent: ablate})
    torch.testing.assert_close(
        edited[base], plain[base] - plain[latent][..., 7:8] * sae.W_dec[7], rtol=1e-4, atol=1e-4
    )


def test_a_transcoder_acts_where_its_output_goes() -> None:
    made = dictionary("blocks.1.hook_resid_mid", "blocks.1.hook_mlp_out")
    model = with_dictionaries(tiny_model("llama"), {"t": replace(made, subtract_b_dec=False)})
    latent, out = resolve(model, "t:3").site, resolve_site(model, "blocks.1.hook_mlp_out")
    plain = read(model, [out, latent], ids=IDS)
    edited = read(model, [out], ids=IDS, edits={latent: lambda z: z + 1.0})
    torch.testing.assert_close(edited[out], plain[out] + made.W_dec.sum(dim=0), rtol=1e-4, atol=1e-4)


def test_gradients_flow_through_the_gate_where_a_latent_is_on() -> None:
    model, _ = with_sae(gate=TopK(5))
    site = resolve(model, "sae:0").site
    embeds = model.embedding[IDS].clone().requires_grad_(True)
    value = read(model, [site], embeds=embeds)[site]
    assert (value > 0).sum(dim=-1).max() <= 5
    index = int(value[0, -1].argmax())
    value[0, -1, index].backward()
    assert embeds.grad is not None
    assert float(embeds.grad.norm()) > 0


def test_where_a_latent_is_off_the_gradient_is_that_of_its_preactivation() -> None:
    model, sae = with_sae(gate=JumpRelu(torch.full((N,), 1e6)))
    post, pre = resolve(model, "sae:0").site, resolve(model, "sae.pre:0").site
    gradients = []
    for site in (post, pre):
        embeds = model.embedding[IDS].clone().requires_grad_(True)
        value = read(model, [site], embeds=embeds)[site]
        value[..., 7].sum().backward()
        gradients.append(embeds.grad)
    with torch.no_grad():
        assert float(read(model, [post], ids=IDS)[post].abs().max()) == 0
    assert gradients[0] is not None
    assert float(gradients[0].norm()) > 0
    torch.testing.assert_close(gradients[0], gradients[1])
    assert sae.n == N


def test_a_width_that_does_not_fit_names_sites_that_would() -> None:
    wide = replace(dictionary(), reads="blocks.1.mlp.hook_post", writes="blocks.1.mlp.hook_post")
    with pytest.raises(ActmaxError, match=r"64 wide .*blocks\.0\.hook_resid_pre"):
        with_dictionaries(tiny_model("llama"), {"sae": wide})


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_a_norm_without_gain_has_unit_mean_square(family: str) -> None:
    model = tiny_model(family)
    site = resolve_site(model, "blocks.1.ln2.hook_normalized")
    value = read(model, [site], ids=IDS)[site]
    torch.testing.assert_close(value.square().mean(dim=-1), torch.ones(IDS.shape), rtol=1e-2, atol=1e-2)
    mlp = Site("blocks.1.mlp.hook_in", 1)
    if family != "gpt2":  # whose norm also has a bias
        ratio = read(model, [mlp], ids=IDS)[mlp] / value
        torch.testing.assert_close(ratio, ratio[:1, :1].expand_as(ratio), rtol=1e-3, atol=1e-3)
