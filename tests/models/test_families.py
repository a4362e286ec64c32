"""Every row of the family table, against transformers' own outputs on tiny random models."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.tiny import FAMILY_NAMES, tiny_ids, tiny_model, tiny_net, tiny_tokenizer

from actmax.errors import ActmaxError
from actmax.models.families import FAMILIES, family_of
from actmax.models.load import wrap
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sites import FINAL, LOGITS, Site, has_final_norm, list_sites, resolve_site

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in FAMILY_NAMES} | {
    "gpt_neox_sequential": ("gpt_neox", {"use_parallel_residual": False}),
    "opt_350m_like": ("opt", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}),
    "gemma2_sliding": ("gemma2", {"sliding_window": 3}),
    "mistral_sliding": ("mistral", {"sliding_window": 3}),
    "llama_untied_wide_heads": ("llama", {"head_dim": 16, "tie_word_embeddings": False}),
}


@pytest.fixture(params=VARIANTS)
def model(request: pytest.FixtureRequest) -> Model:
    family, config = VARIANTS[request.param]
    return tiny_model(family, **config)


def all_sites(model: Model) -> dict[Site, torch.Tensor]:
    sites = [resolve_site(model, name) for name in list_sites(model)]
    with torch.no_grad():
        return read(model, sites, ids=tiny_ids())


def test_every_family_of_the_table_is_tested() -> None:
    assert set(FAMILIES) == {family for family, _ in VARIANTS.values()} | {"gemma3"}


def test_hidden_states_alias_is_what_transformers_gives(model: Model) -> None:
    with torch.no_grad():
        expected = model.net(input_ids=tiny_ids(), output_hidden_states=True).hidden_states
    assert len(expected) == model.n_blocks + 1
    for i, value in enumerate(expected):
        site = resolve_site(model, f"hidden_states.{i}")
        if i == model.n_blocks and not has_final_norm(model):
            continue  # OPT-350m projects its last hidden state to another width; checked below
        with torch.no_grad():
            assert torch.equal(read(model, [site], ids=tiny_ids())[site], value), site


def test_widths_are_the_real_ones(model: Model) -> None:
    values = all_sites(model)
    assert {site.name: value.shape[-1] for site, value in values.items()} == dict(list_sites(model))


def test_attention_and_mlp_rebuild_the_residual_stream(model: Model) -> None:
    values = {site.name: value for site, value in all_sites(model).items()}
    config = model.net.config
    if not model.family.additive(config):
        pytest.skip("post-norm blocks normalise the sum, so the identity does not hold by design")
    for layer in range(model.n_blocks):
        block = f"blocks.{layer}"
        pre, post = values[f"{block}.hook_resid_pre"], values[f"{block}.hook_resid_post"]
        attn, mlp = values[f"{block}.hook_attn_out"], values[f"{block}.hook_mlp_out"]
        torch.testing.assert_close(pre + attn + mlp, post, rtol=1e-5, atol=1e-5)
        if f"{block}.hook_resid_mid" in values:
            torch.testing.assert_close(pre + attn, values[f"{block}.hook_resid_mid"], rtol=1e-5, atol=1e-5)


def test_sequential_blocks_have_a_resid_mid_and_parallel_ones_do_not() -> None:
    def has(family: str, **config: Any) -> bool:
        return "blocks.0.hook_resid_mid" in list_sites(tiny_model(family, **config))

    assert [has(f) for f in ("llama", "gpt2", "phi", "gptj", "gpt_neox")] == [True, True, False, False, False]
    assert has("gpt_neox", use_parallel_residual=False)


def test_embeddings_path_equals_ids_path(model: Model) -> None:
    names = [name for name in list_sites(model) if name != LOGITS]
    sites = [resolve_site(model, name) for name in [*names, LOGITS]]
    with torch.no_grad():
        by_ids = read(model, sites, ids=tiny_ids())
        by_embeds = read(model, sites, embeds=model.embedding[tiny_ids()])
    for site in sites:
        assert torch.equal(by_ids[site], by_embeds[site]), site


def test_mlp_post_times_down_projection_is_mlp_out(model: Model) -> None:
    """The input of the down-projection is where ``hook_post`` says."""
    values = {site.name: value for site, value in all_sites(model).items()}
    for layer in range(model.n_blocks):
        post = values[f"blocks.{layer}.mlp.hook_post"]
        pre = values[f"blocks.{layer}.mlp.hook_pre"]
        up = values.get(f"blocks.{layer}.mlp.hook_pre_linear")
        activation = _activation(model)
        expected = activation(pre) if up is None else activation(pre) * up
        torch.testing.assert_close(post, expected, rtol=1e-5, atol=1e-5)


def _activation(model: Model) -> torch.nn.Module:
    from transformers.activations import ACT2FN

    config = model.net.config
    for key in ("hidden_activation", "activation_function", "hidden_act"):
        if getattr(config, key, None):
            module: torch.nn.Module = ACT2FN[getattr(config, key)]
            return module
    raise AssertionError("the config names no activation")


def test_queries_keys_and_values_rebuild_the_heads(model: Model) -> None:
    """At position 0 attention can only look at itself, so z there is v, repeated over the query groups."""
    values = {site.name: value for site, value in all_sites(model).items()}
    config = model.net.config
    for layer in range(model.n_blocks):
        attn = f"blocks.{layer}.attn"
        size = values[f"{attn}.hook_z"].shape[-1] // config.num_attention_heads
        v = values[f"{attn}.hook_v"][:, 0]
        repeats = values[f"{attn}.hook_z"].shape[-1] // v.shape[-1]
        expected = v.unflatten(-1, (-1, size)).repeat_interleave(repeats, dim=1).flatten(1)
        torch.testing.assert_close(values[f"{attn}.hook_z"][:, 0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("part", ["q", "k", "v"])
@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "phi3"])
def test_fused_parts_feed_attention_as_named(name: str, part: str) -> None:
    """With one head's part set to zero, exactly the attention that rests on it changes."""
    model = tiny_model(name)
    site = resolve_site(model, f"blocks.1.attn.hook_{part}")
    z = resolve_site(model, "blocks.1.attn.hook_z")
    heads = list_sites(model)[site.name] // 8

    def silence(value: torch.Tensor) -> torch.Tensor:
        value = value.clone()
        value[..., :8] = 0.0  # head 0
        return value

    with torch.no_grad():
        before = read(model, [z], ids=tiny_ids())[z]
        after = read(model, [z], ids=tiny_ids(), edits={site: silence})[z]
    changed = (before != after).any(0).any(0).unflatten(-1, (-1, 8)).any(-1).tolist()
    group = len(changed) // heads
    assert changed == [head < group for head in range(len(changed))]
    if part == "v":
        assert bool((after[..., : 8 * group] == 0).all())


def test_logits_are_the_models_own(model: Model) -> None:
    with torch.no_grad():
        expected = model.net(input_ids=tiny_ids()).logits
        assert torch.equal(read(model, [Site(LOGITS)], ids=tiny_ids())[Site(LOGITS)], expected)


def test_gemma_multimodal_text_stack() -> None:
    """The vision-language Gemma 3 keeps its text stack one level deeper."""
    from transformers import AutoConfig, Gemma3Config, Gemma3ForConditionalGeneration

    text = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 64,
        "vocab_size": len(tiny_tokenizer()),
    }
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    vision |= {"image_size": 28, "patch_size": 14}
    config = AutoConfig.for_model("gemma3", text_config=text, vision_config=vision, mm_tokens_per_image=4)
    assert isinstance(config, Gemma3Config)
    model = wrap(Gemma3ForConditionalGeneration(config), tiny_tokenizer(), name="tiny-gemma3")
    with torch.no_grad():
        expected = model.net(input_ids=tiny_ids(), output_hidden_states=True).hidden_states
        for i in range(model.n_blocks + 1):
            site = resolve_site(model, f"hidden_states.{i}")
            assert torch.equal(read(model, [site], ids=tiny_ids())[site], expected[i])


def test_unknown_architecture_says_how_to_add_a_row() -> None:
    with pytest.raises(ActmaxError, match=r"'lama' is not known.*llama.*one row.*families\.py"):
        family_of("lama")


def test_final_norm_of_the_last_block_is_the_last_hidden_state() -> None:
    model = tiny_model("llama")
    last = Site("blocks.2.hook_resid_post", 2)
    with torch.no_grad():
        values = read(model, [last, Site(FINAL)], ids=tiny_ids())
        normed = model.net.get_submodule("model.norm")(values[last])
    assert torch.equal(normed, values[Site(FINAL)])
    assert not torch.allclose(values[last], values[Site(FINAL)])


def test_tiny_models_do_not_touch_the_global_generator() -> None:
    before = torch.random.get_rng_state()
    tiny_net("gpt2")
    assert torch.equal(before, torch.random.get_rng_state())
