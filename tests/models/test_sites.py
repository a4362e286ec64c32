"""Names of sites and units: what they resolve to, and what is said about every bad one."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from tests.tiny import BLOCKS, D_HEAD, HEADS, KV_HEADS, MLP, WIDTH, tiny_ids, tiny_model, tiny_tokenizer

from actmax.errors import ActmaxError
from actmax.models.read import read
from actmax.models.sites import (
    EMBED,
    FINAL,
    LOGITS,
    Site,
    Unit,
    d_head,
    has_final_norm,
    heads,
    list_sites,
    resolve,
    resolve_site,
    tap,
    width,
)
from actmax.objectives.activation import along

LLAMA = tiny_model("llama")
GPT2 = tiny_model("gpt2")
VOCAB = len(tiny_tokenizer())


@pytest.mark.parametrize(
    ("name", "site"),
    [
        ("hidden_states.0", Site("blocks.0.hook_resid_pre", 0)),
        ("hidden_states.1", Site("blocks.0.hook_resid_post", 0)),
        ("hidden_states.2", Site("blocks.1.hook_resid_post", 1)),
        (f"hidden_states.{BLOCKS}", Site(FINAL)),
        ("hook_embed", Site(EMBED)),
        ("ln_final.hook_normalized", Site(FINAL)),
        ("unembed.hook_logits", Site(LOGITS)),
        ("blocks.2.mlp.hook_post", Site("blocks.2.mlp.hook_post", 2)),
        ("blocks.1.attn.hook_k", Site("blocks.1.attn.hook_k", 1)),
    ],
)
def test_names_and_aliases(name: str, site: Site) -> None:
    assert resolve_site(LLAMA, name) == site


def test_the_last_hidden_state_without_a_final_norm_is_the_last_block() -> None:
    model = tiny_model("opt", do_layer_norm_before=False, word_embed_proj_dim=16)
    assert not has_final_norm(model)
    assert resolve_site(model, f"hidden_states.{BLOCKS}").name == f"blocks.{BLOCKS - 1}.hook_resid_post"
    assert FINAL not in list_sites(model)
    with pytest.raises(ActmaxError, match=r"has no site 'ln_final\.hook_normalized'"):
        resolve_site(model, FINAL)


def test_every_listed_site_resolves_to_itself_and_has_its_width() -> None:
    for model in (LLAMA, GPT2):
        for name, size in list_sites(model).items():
            site = resolve_site(model, name)
            assert (site.name, str(site), width(model, site)) == (name, name, size)
            assert resolve(model, f"{name}:{size - 1}").index == size - 1
            with pytest.raises(ActmaxError, match=f"has 0 to {size - 1}"):
                resolve(model, f"{name}:{size}")


def test_the_list_of_a_llama() -> None:
    block = ["hook_resid_pre", "attn.hook_q", "attn.hook_k", "attn.hook_v", "attn.hook_z", "hook_attn_out"]
    block += ["hook_resid_mid", "mlp.hook_pre", "mlp.hook_pre_linear", "mlp.hook_post", "hook_mlp_out"]
    block += ["hook_resid_post"]
    sizes = {"attn.hook_k": KV_HEADS * D_HEAD, "attn.hook_v": KV_HEADS * D_HEAD}
    sizes |= {kind: MLP for kind in block if kind.startswith("mlp.")}
    expected = {EMBED: WIDTH}
    for i in range(BLOCKS):
        expected |= {f"blocks.{i}.{kind}": sizes.get(kind, WIDTH) for kind in block}
    expected |= {FINAL: WIDTH, LOGITS: VOCAB}
    assert list(list_sites(LLAMA).items()) == list(expected.items())
    assert "blocks.0.mlp.hook_pre_linear" not in list_sites(GPT2), "it has no gate"


def test_the_kind_of_a_site() -> None:
    assert resolve_site(LLAMA, "blocks.1.attn.hook_q").kind == "attn.hook_q"
    assert resolve_site(LLAMA, "hidden_states.1").kind == "hook_resid_post"
    assert resolve_site(LLAMA, EMBED).kind == EMBED


def test_units() -> None:
    unit = resolve(LLAMA, "hidden_states.2:9")
    assert unit == Unit(Site("blocks.1.hook_resid_post", 1), 9, "hidden_states.2:9")
    assert str(unit) == "hidden_states.2:9"
    assert unit.direction is None


def test_units_of_heads_are_where_the_heads_are() -> None:
    assert (heads(LLAMA, "attn.hook_q"), heads(LLAMA, "attn.hook_k"), d_head(LLAMA)) == (
        HEADS,
        KV_HEADS,
        D_HEAD,
    )
    unit = resolve(LLAMA, "blocks.1.attn.hook_q.3:7")
    assert (unit.site.name, unit.index) == ("blocks.1.attn.hook_q", 3 * D_HEAD + 7)
    with torch.no_grad():
        value = read(LLAMA, [unit.site], ids=tiny_ids())[unit.site]
    by_head = value.unflatten(-1, (HEADS, D_HEAD))
    assert torch.equal(along(unit, value), by_head[:, :, 3, 7])
    assert resolve(LLAMA, "blocks.0.attn.hook_v.1:0").index == D_HEAD


def test_units_of_logits_by_token() -> None:
    (the,) = tiny_tokenizer().encode(" the")
    for text in ('unembed.hook_logits:" the"', "unembed.hook_logits:' the'", "unembed.hook_logits: the"):
        assert resolve(LLAMA, text).index == the
    assert resolve(LLAMA, "unembed.hook_logits:7").index == 7, "a number is an id"
    (seven,) = tiny_tokenizer().encode("7")
    assert resolve(LLAMA, 'unembed.hook_logits:"7"').index == seven, "in quotes it is a text"
    (colon,) = tiny_tokenizer().encode(":")
    assert resolve(LLAMA, 'unembed.hook_logits:":"').index == colon


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ("", "'' is not a unit; write SITE:INDEX"),
        ("hidden_states.1", "'hidden_states.1' is not a unit; write SITE:INDEX, for example"),
        ("hidden_states.1:", "is not a unit"),
        (":3", "has no site ''"),
        ("hidden_states.1:x", "The index 'x' of 'hidden_states.1:x' is not a whole number."),
        ("hidden_states.1:1.5", "is not a whole number"),
        ("hidden_states.1:-1", "index of 'hidden_states.1:-1' is negative; tiny-llama counts from 0 to 31."),
        ("hidden_states.1:32", "index of 'hidden_states.1:32' is out of range; tiny-llama has 0 to 31."),
        (
            "hidden_states.-1:0",
            "hidden state of 'hidden_states.-1' is negative; tiny-llama counts from 0 to 3",
        ),
        ("hidden_states.4:0", "hidden state of 'hidden_states.4' is out of range; tiny-llama has 0 to 3."),
        ("blocks.3.hook_resid_post:0", "block of 'blocks.3.hook_resid_post' is out of range; .* has 0 to 2."),
        ("blocks.-1.hook_resid_post:0", "block of 'blocks.-1.hook_resid_post' is negative"),
        ("blocks.1.hook_resid_pots:0", "has no site .*; the nearest are blocks.1.hook_resid_post"),
        ("blocks.2.mlp.hook_posts:0", r"the nearest are blocks\.2\.mlp\.hook_post.*`actmax sites` lists"),
        ("hidden_state.4:0", r"nearest are hidden_states\.0"),
        ("hook_embd:0", "nearest are hook_embed"),
        ("unembed.hook_logit:0", r"nearest are unembed\.hook_logits"),
        ("ln_final.hook_normalised:0", r"nearest are ln_final\.hook_normalized"),
        ("blocks.x.hook_resid_post:0", "has no site"),
        ("blocks.1.attn.hook_q.4:0", "head of .* is out of range; tiny-llama has 0 to 3"),
        ("blocks.1.attn.hook_k.2:0", "head of .* is out of range; tiny-llama has 0 to 1"),
        ("blocks.1.attn.hook_q.-1:0", "head of .* is negative"),
        ("blocks.1.attn.hook_q.1:8", "index of .* is out of range; tiny-llama has 0 to 7"),
        ("blocks.1.hook_resid_post.1:0", "has no site 'blocks.1.hook_resid_post.1'"),
        ("blocks.1.attn.hook_q.1:@x", "names a head; a direction is given for the whole site"),
        ("unembed.hook_logits:the cat sat", "'the cat sat' is [2-9] tokens, not one"),
        ('unembed.hook_logits:""', "'' is 0 tokens, not one"),
        ("unembed.hook_logits:306", "out of range"),
    ],
)
def test_bad_units(unit: str, said: str) -> None:
    with pytest.raises(ActmaxError, match=said) as raised:
        resolve(LLAMA, unit)
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize(
    "unit",
    [
        "hidden_states.1:{}",
        "hidden_states.{}:1",
        "blocks.{}.hook_mlp_out:1",
        "blocks.1.attn.hook_q.{}:1",
        "blocks.1.attn.hook_q.1:{}",
        "blocks.1.mlp.hook_pre:-{}",
        "unembed.hook_logits:{}",
        "hidden_states.1:x{}",
        "nowhere{}:1",
    ],
)
def test_more_digits_than_python_converts_are_a_short_sentence(unit: str) -> None:
    with pytest.raises(ActmaxError) as caught:
        resolve(tiny_model(), unit.format("9" * 5000))
    assert len(str(caught.value)) < 500
    assert "…" in str(caught.value)


def test_zeros_in_front_change_nothing() -> None:
    assert resolve(tiny_model(), f"hidden_states.01:{'0' * 5000}7").index == 7
    assert resolve(tiny_model(), "hidden_states.1:-0").index == 0


def test_a_site_that_the_architecture_lacks() -> None:
    phi = tiny_model("phi")
    with pytest.raises(ActmaxError, match=r"nearest are blocks\.1\.hook_resid_p"):
        resolve_site(phi, "blocks.1.hook_resid_mid")
    with pytest.raises(ActmaxError, match=r"tiny-phi has no site 'blocks\.1\.hook_resid_mid'"):
        tap(phi, Site("blocks.1.hook_resid_mid", 1))


ALPHABET = "0123456789.:-_@# abcdeghiklmnopqrstuvxz²٣\u0000\n"
PIECES = ["hidden_states", "blocks", "attn", "mlp", "hook_q", "hook_post", "unembed.hook_logits", "-1", "99"]


@given(st.lists(st.sampled_from(PIECES) | st.text(ALPHABET, max_size=5), max_size=6).map(".".join))
def test_whatever_is_written_is_a_unit_or_a_sentence(text: str) -> None:
    for unit in (text, f"{text}:1", f"hidden_states.1:{text}"):
        with suppress(ActmaxError):
            found = resolve(LLAMA, unit)
            assert found.index is not None
            assert 0 <= found.index < width(LLAMA, found.site)


def saved(path: Path, **tensors: torch.Tensor) -> str:
    save_file(tensors, path)
    return str(path)


def test_a_direction_is_a_unit_vector_and_its_scalar_a_dot_product(tmp_path: Path) -> None:
    vector = torch.randn(WIDTH, generator=torch.Generator().manual_seed(0)) * 7
    file = saved(tmp_path / "d.safetensors", anything=vector)
    unit = resolve(LLAMA, f"hidden_states.2:@{file}")
    assert unit.index is None
    assert unit.direction is not None
    torch.testing.assert_close(unit.direction, vector / vector.norm())
    with torch.no_grad():
        value = read(LLAMA, [unit.site], ids=tiny_ids())[unit.site]
    expected = (value.double() * (vector / vector.norm()).double()).sum(-1)
    torch.testing.assert_close(along(unit, value).double(), expected, rtol=1e-5, atol=1e-5)


def test_a_direction_along_an_axis_is_that_index(tmp_path: Path) -> None:
    file = saved(tmp_path / "axis.safetensors", x=torch.eye(MLP)[5] * 3)
    direction = resolve(LLAMA, f"blocks.1.mlp.hook_post:@{file}")
    index = resolve(LLAMA, "blocks.1.mlp.hook_post:5")
    with torch.no_grad():
        value = read(LLAMA, [index.site], ids=tiny_ids())[index.site]
    torch.testing.assert_close(along(direction, value), along(index, value))


def test_one_of_several_tensors_and_other_shapes_and_dtypes(tmp_path: Path) -> None:
    axes = torch.eye(WIDTH)
    tensors = {"a": axes[0].clone(), "b": axes[1:2].clone().half(), "c": axes[2].clone()}
    file = saved(tmp_path / "many.safetensors", **tensors)
    found = resolve(LLAMA, f"hidden_states.1:@{file}#b")
    assert found.direction is not None
    assert torch.equal(found.direction, axes[1])


def test_bad_directions(tmp_path: Path) -> None:
    def said(name: str) -> str:
        with pytest.raises(ActmaxError) as raised:
            resolve(LLAMA, f"hidden_states.1:@{name}")
        assert str(raised.value).endswith(".")
        return str(raised.value)

    good = torch.ones(WIDTH)
    assert "There is no file" in said(str(tmp_path / "none.safetensors"))
    assert "There is no file" in said(str(tmp_path))
    assert "There is no file" in said("")
    assert re.search(
        r"holds 2 tensors; name one of them: @.*#a",
        said(saved(tmp_path / "two.safetensors", a=good, b=good + 1)),
    )
    assert "holds no tensor 'z'; the nearest are" in said(f"{tmp_path / 'two.safetensors'}#z")
    assert "has 31 numbers, but blocks.0.hook_resid_post is 32 wide" in said(
        saved(tmp_path / "narrow.safetensors", a=good[1:].clone())
    )
    assert "has 64 numbers" in said(saved(tmp_path / "wide.safetensors", a=torch.ones(2, WIDTH)))
    for name, value in (("zero", 0.0), ("nan", torch.nan), ("inf", torch.inf)):
        path = saved(tmp_path / f"{name}.safetensors", a=torch.full((WIDTH,), value))
        assert "is zero or not finite" in said(path)
    for name, content in (("text", b"not a tensor at all"), ("empty", b""), ("cut", b"\x10\0\0\0\0\0\0\0{")):
        (tmp_path / name).write_bytes(content)
        assert "is not a safetensors file" in said(str(tmp_path / name))
    torch.save({"a": good}, tmp_path / "pickle.pt")
    assert "is not a safetensors file" in said(str(tmp_path / "pickle.pt"))
    save_file({}, tmp_path / "nothing.safetensors")
    assert "holds no tensor; a direction" in said(str(tmp_path / "nothing.safetensors"))
