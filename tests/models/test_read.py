"""Reading: no deeper than asked, no logits unless asked, no graph, nothing left on the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from tests.tiny import BLOCKS, FAMILY_NAMES, WIDTH, tiny_ids, tiny_model, tiny_net, tiny_tokenizer
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.models.load import wrap
from actmax.models.model import Model
from actmax.models.read import read, read_prefix
from actmax.models.sites import EMBED, FINAL, LOGITS, Site, list_sites, resolve_site

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in FAMILY_NAMES} | {
    "gpt_neox_sequential": ("gpt_neox", {"use_parallel_residual": False}),
    "opt_350m_like": ("opt", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}),
    "gemma2_sliding": ("gemma2", {"sliding_window": 3}),
    "gemma3_sliding": ("gemma3_text", {"sliding_window": 3}),
    "mistral_sliding": ("mistral", {"sliding_window": 3}),
    "phi3_sliding": ("phi3", {"sliding_window": 3}),
    "qwen2_sliding": ("qwen2", {"sliding_window": 3, "use_sliding_window": True, "max_window_layers": 1}),
}


@contextmanager
def calls(model: Model, path: str) -> Iterator[list[int]]:
    """How often each module of a list (or one module, ``lm_head``) is entered."""
    found = model.net.get_submodule(path)
    modules = list(found) if isinstance(found, torch.nn.ModuleList) else [found]
    counts = [0] * len(modules)

    def counting(i: int, forward: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            counts[i] += 1
            return forward(*args, **kwargs)

        return counted

    for i, module in enumerate(modules):
        module.forward = counting(i, module.forward)
    try:
        yield counts
    finally:
        for module in modules:
            del module.forward


def n_hooks(model: Model) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.net.modules())


@pytest.mark.parametrize(
    ("names", "blocks"),
    [
        (["hook_embed"], 0),
        (["hidden_states.0"], 0),
        (["blocks.1.hook_resid_pre"], 1),
        (["blocks.1.attn.hook_q"], 2),
        (["hidden_states.1"], 1),
        (["hidden_states.2"], 2),
        (["hook_embed", "hidden_states.2", "hidden_states.0"], 2),
        (["blocks.2.mlp.hook_post"], 3),
        (["ln_final.hook_normalized"], 3),
    ],
)
@pytest.mark.parametrize("path", ["ids", "embeds"])
def test_the_model_runs_to_the_deepest_site_and_no_further(names: list[str], blocks: int, path: str) -> None:
    model = tiny_model("llama")
    sites = [resolve_site(model, name) for name in names]
    given: dict[str, Any] = {path: tiny_ids() if path == "ids" else model.embedding[tiny_ids()]}
    with calls(model, model.family.blocks) as entered, calls(model, "lm_head") as unembedded:
        values = read(model, sites, **given)
    assert entered == [1] * blocks + [0] * (BLOCKS - blocks)
    assert unembedded == [0]
    assert set(values) == set(sites)


def test_within_a_block_too() -> None:
    """The attention output of a block needs nothing of its MLP."""
    model = tiny_model("gpt2")
    with calls(model, "transformer.h.1.mlp") as entered:
        read(model, [resolve_site(model, "blocks.1.hook_attn_out")], ids=tiny_ids())
    assert entered == [0]


def test_logits_are_computed_when_they_are_asked_for_and_only_then() -> None:
    for name in FAMILY_NAMES:
        model = tiny_model(name)
        head = next(n for n, m in model.net.named_modules() if m is model.net.get_output_embeddings())
        with calls(model, head) as entered:
            read(model, [resolve_site(model, n) for n in list_sites(model) if n != LOGITS], ids=tiny_ids())
            assert entered == [0], name
            read(model, [Site(LOGITS)], ids=tiny_ids())
            assert entered == [1], name


def test_nothing_asked_nothing_run() -> None:
    model = tiny_model("llama")
    with calls(model, "model") as entered:
        assert read(model, [], ids=tiny_ids()) == {}
        embeds = model.embedding[tiny_ids()]
        assert torch.equal(read(model, [Site(EMBED)], embeds=embeds)[Site(EMBED)], embeds)
    assert entered == [0]


def test_gradients_go_to_the_embeddings_and_never_to_the_weights() -> None:
    model = tiny_model("llama")
    site = resolve_site(model, "hidden_states.2")
    leaf = model.embedding[tiny_ids()].clone().requires_grad_()
    value = read(model, [site], embeds=leaf)[site]
    assert value.requires_grad
    value.sum().backward()
    assert leaf.grad is not None
    assert bool(leaf.grad.abs().sum() > 0)
    assert all(w.grad is None and not w.requires_grad for w in model.net.parameters())


def test_no_graph_in_evaluation() -> None:
    model = tiny_model("llama")
    sites = [resolve_site(model, name) for name in list_sites(model)]
    leaf = model.embedding[tiny_ids()].clone().requires_grad_()
    with torch.no_grad():
        values = read(model, sites, embeds=leaf)
    assert all(value.grad_fn is None for value in values.values())
    assert not any(value.requires_grad for value in read(model, sites, ids=tiny_ids()).values())
    assert not any(value.requires_grad for value in read_prefix(model, sites, tiny_ids(1)).acts.values())


def test_hooks_are_removed_whatever_happens() -> None:
    model = tiny_model("llama")
    site = resolve_site(model, "hidden_states.2")

    def fails(error: type[BaseException]) -> Callable[[Tensor], Tensor]:
        def edit(value: Tensor) -> Tensor:
            raise error

        return edit

    before = n_hooks(model)
    read(model, [site, Site(LOGITS)], ids=tiny_ids())
    assert n_hooks(model) == before
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error):
            read(model, [Site(LOGITS)], ids=tiny_ids(), edits={site: fails(error)})
        assert n_hooks(model) == before
    with torch.no_grad():
        again = read(model, [site], ids=tiny_ids())[site]
        assert torch.equal(again, model.net(tiny_ids(), output_hidden_states=True).hidden_states[2])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_prefix_and_what_follows_equal_the_whole(variant: str) -> None:
    family, config = VARIANTS[variant]
    model = tiny_model(family, **config)
    model.net.double()  # in float32 kernels of two lengths may differ by more than any tolerance that tells
    sites = [resolve_site(model, name) for name in list_sites(model)]
    start, rest = tiny_ids(1, 5, seed=1), tiny_ids(3, 6, seed=2)
    prefix = read_prefix(model, sites, start)
    whole = torch.cat([start.expand(3, -1), rest], dim=1)
    with torch.no_grad():
        expected = read(model, sites, ids=whole)
        by_ids = read(model, sites, prefix=prefix, ids=rest)
        by_embeds = read(model, sites, prefix=prefix, embeds=model.embedding[rest])
    for site in sites:
        torch.testing.assert_close(prefix.acts[site], expected[site][:1, :5], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(by_ids[site], expected[site][:, 5:], rtol=1e-4, atol=1e-4)
        assert torch.equal(by_ids[site], by_embeds[site]), "and the prefix is not used up"


def test_a_prefix_runs_no_deeper_than_its_sites() -> None:
    model = tiny_model("llama")
    site = resolve_site(model, "hidden_states.1")
    with calls(model, model.family.blocks) as entered:
        prefix = read_prefix(model, [site], tiny_ids(1, 4))
        assert entered == [1, 0, 0]
        read(model, [site], ids=tiny_ids(2, 3), prefix=prefix)
        assert entered == [2, 0, 0]
    assert len(prefix.keys_values) == 1


def test_gradients_through_a_prefix_equal_those_of_the_whole() -> None:
    model = tiny_model("gpt2")
    site = resolve_site(model, "hidden_states.3")
    start, rest = tiny_ids(1, 3), model.embedding[tiny_ids(2, 4)]
    prefix = read_prefix(model, [site], start)
    leaf = rest.clone().requires_grad_()
    read(model, [site], embeds=leaf, prefix=prefix)[site][..., 5].sum().backward()
    other = rest.clone().requires_grad_()
    whole = torch.cat([model.embedding[start].expand(2, -1, -1), other], dim=1)
    read(model, [site], embeds=whole)[site][:, 3:, 5].sum().backward()
    assert leaf.grad is not None
    assert other.grad is not None
    torch.testing.assert_close(leaf.grad, other.grad, rtol=1e-4, atol=1e-5)


def test_rows_do_not_depend_on_their_batch() -> None:
    for name in FAMILY_NAMES:
        model = tiny_model(name)
        site = Site(LOGITS)
        with torch.no_grad():
            batch = read(model, [site], ids=tiny_ids(5))[site]
            alone = torch.cat([read(model, [site], ids=row[None])[site] for row in tiny_ids(5)])
        torch.testing.assert_close(batch, alone, rtol=1e-4, atol=1e-4)


def test_lengths() -> None:
    model = tiny_model("llama")  # reads 64 positions
    site = resolve_site(model, "hidden_states.1")
    assert read(model, [site], ids=tiny_ids(1, 64))[site].shape == (1, 64, WIDTH)
    with pytest.raises(ActmaxError, match="has 65 positions, but tiny-llama reads at most 64; shorten it"):
        read(model, [site], ids=tiny_ids(1, 65))
    with pytest.raises(ActmaxError, match="has 65 positions"):
        read(model, [site], embeds=torch.zeros(1, 65, WIDTH))
    with pytest.raises(ActmaxError, match="has 70 positions"):
        read_prefix(model, [site], tiny_ids(1, 70))
    prefix = read_prefix(model, [site], tiny_ids(1, 60))
    assert read(model, [site], ids=tiny_ids(2, 4), prefix=prefix)[site].shape == (2, 4, WIDTH)
    with pytest.raises(ActmaxError, match="has 65 positions"):
        read(model, [site], ids=tiny_ids(2, 5), prefix=prefix)
    empties: list[dict[str, Any]] = [
        {"ids": torch.zeros(1, 0, dtype=torch.long)},
        {"embeds": torch.zeros(1, 0, WIDTH)},
    ]
    for empty in empties:
        with pytest.raises(ActmaxError, match="The sequence is empty; give it at least one position"):
            read(model, [site], **empty)
    with pytest.raises(ActmaxError, match="The sequence is empty"):
        read_prefix(model, [site], torch.zeros(1, 0, dtype=torch.long))


def test_ids_or_embeddings_and_not_both() -> None:
    model = tiny_model("llama")
    with pytest.raises(ActmaxError, match="either ids or embeds"):
        read(model, [Site(FINAL)])
    with pytest.raises(ActmaxError, match="either ids or embeds"):
        read(model, [Site(FINAL)], ids=tiny_ids(), embeds=model.embedding[tiny_ids()])


def test_gpt2_adds_its_position_embeddings_to_given_embeddings_too() -> None:
    model = tiny_model("gpt2")
    embeds = model.embedding[tiny_ids()]
    site = Site("blocks.0.hook_resid_pre", 0)
    with torch.no_grad():
        added = read(model, [site], embeds=embeds)[site] - embeds
    wpe: Tensor = model.net.get_submodule("transformer.wpe").weight  # type: ignore[assignment]
    torch.testing.assert_close(added, wpe[:7].expand_as(added), rtol=1e-4, atol=1e-5)


def test_dead_relu_units_read_zero_and_their_inputs_do_not() -> None:
    net = tiny_net("opt")
    with torch.no_grad():
        net.get_parameter("model.decoder.layers.1.fc1.bias").fill_(-1e4)
    model = wrap(net, tiny_tokenizer())
    post, pre = (resolve_site(model, f"blocks.1.mlp.hook_{name}") for name in ("post", "pre"))
    found = read(model, [post, pre], ids=tiny_ids())
    assert not bool(found[post].any())
    assert bool((found[pre] < -1e3).all())
