"""What a GGUF file says is what is computed: every architecture and every way of scaling positions.

The files are written as llama.cpp's converter writes them; what is right is transformers' own net.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize
from tests.assets.wheels import left_behind
from tests.models.tiny_gguf import TOKENS, randomise, write_model
from transformers import AutoConfig, AutoModelForCausalLM

from actmax.api.load import load
from actmax.errors import ActmaxError
from actmax.models.gguf_config import ARCHITECTURES
from actmax.models.gguf_read import GgufModel, check_types, read_gguf

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tiny(architecture: str, **config: Any) -> Any:
    """A random net of an architecture, by GGUF's name for it."""
    torch.manual_seed(0)
    gemma = architecture.startswith("gemma")
    common: dict[str, Any] = {
        "vocab_size": len(TOKENS),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 256 if gemma else 8,
        "max_position_embeddings": 128,
        "initializer_range": 0.4,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": None,
    }
    if gemma:
        common |= {"sliding_window": 5, "query_pre_attn_scalar": 256}
    if architecture == "gpt2":
        common = {"vocab_size": len(TOKENS), "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128}
        common |= {"initializer_range": 0.4, "bos_token_id": 1, "eos_token_id": 2}
    kind = ARCHITECTURES[architecture].model_type
    net = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, **(common | config)), attn_implementation="eager"
    )
    randomise(net)
    return net


def logits(net: Any) -> torch.Tensor:
    ids = torch.arange(3, 63)[None]
    with torch.no_grad():
        found: torch.Tensor = net.eval()(ids).logits
        return found


def same(path: Path, net: Any) -> None:
    """The file computes what the net does (the one rounding is that of its float32 settings)."""
    found, expected = logits(load(path, device="cpu").net), logits(net)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4), float((found - expected).abs().max())


ROPE = {"rope_type": "default", "rope_theta": 10000.0}
YARN = ROPE | {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
YARN_KEYS = {
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": 4.0,
    "rope.scaling.original_context_length": 16,
}
LINEAR = ROPE | {"rope_type": "linear", "factor": 8.0}
LINEAR_KEYS = {"rope.scaling.type": "linear", "rope.scaling.factor": 8.0}


@pytest.mark.parametrize(
    ("architecture", "tied"),
    [*((name, True) for name in ARCHITECTURES), ("llama", False), ("qwen3", False), ("phi3", False)],
)
def test_every_architecture_is_transformers_net(tmp_path: Path, architecture: str, tied: bool) -> None:
    net = tiny(architecture, tie_word_embeddings=tied)
    same(write_model(tmp_path / "m.gguf", net, architecture), net)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_yarn_is_applied(tmp_path: Path, architecture: str) -> None:
    net = tiny(architecture, rope_parameters=YARN)
    assert not torch.allclose(logits(net), logits(tiny(architecture)), atol=0.1)
    same(write_model(tmp_path / "m.gguf", net, architecture, YARN_KEYS), net)


def test_yarns_own_settings_are_applied(tmp_path: Path) -> None:
    own = {"beta_fast": 16.0, "beta_slow": 2.0, "attention_factor": 0.5 * (0.1 * math.log(4.0) + 1)}
    net = tiny("qwen2", rope_parameters=YARN | own)
    keys = {"rope.scaling.yarn_beta_fast": 16.0, "rope.scaling.yarn_beta_slow": 2.0}
    path = tmp_path / "m.gguf"
    same(write_model(path, net, "qwen2", YARN_KEYS | keys | {"rope.scaling.attn_factor": 0.5}), net)


@pytest.mark.parametrize("keys", [LINEAR_KEYS, {"rope.scaling.factor": 8.0}, {"rope.scale_linear": 8.0}])
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_linear_scaling_is_applied(tmp_path: Path, architecture: str, keys: dict[str, Any]) -> None:
    net = tiny(architecture, rope_parameters=LINEAR)
    same(write_model(tmp_path / "m.gguf", net, architecture, keys), net)


def test_gemma_scales_the_positions_of_its_wide_blocks_only(tmp_path: Path) -> None:
    layers = ["sliding_attention", "full_attention"] * 3
    rope = {
        "full_attention": LINEAR | {"rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0},
    }
    net = tiny("gemma3", num_hidden_layers=6, layer_types=layers, rope_parameters=rope)
    keys = LINEAR_KEYS | {"attention.sliding_window_pattern": 2, "rope.freq_base_swa": 5000.0}
    same(write_model(tmp_path / "m.gguf", net, "gemma3", keys), net)


def test_the_factors_of_llama_3_are_applied(tmp_path: Path) -> None:
    """The converter writes one factor for each frequency; transformers computes them from four numbers."""
    llama3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    rope = ROPE | llama3 | {"rope_type": "llama3", "original_max_position_embeddings": 64}
    net = tiny("llama", rope_parameters=rope)
    plain = 1.0 / 10000.0 ** (torch.arange(0, 8, 2) / 8)
    factors = (plain / net.model.rotary_emb.inv_freq).numpy().astype(np.float32)
    assert len(set(factors.tolist())) > 2
    same(write_model(tmp_path / "m.gguf", net, "llama", tensors={"rope_freqs.weight": factors}), net)


def test_long_and_short_factors_are_applied(tmp_path: Path) -> None:
    short, long = [1.0, 1.5, 2.0, 3.0], [2.0, 5.0, 8.0, 9.0]
    rope = ROPE | {"rope_type": "longrope", "short_factor": short, "long_factor": long}
    rope |= {"original_max_position_embeddings": 32, "attention_factor": 1.25}
    net = tiny("phi3", rope_parameters=rope, original_max_position_embeddings=32)
    tensors = {
        f"rope_factors_{name}.weight": np.array(values, dtype=np.float32)
        for name, values in (("short", short), ("long", long))
    }
    keys = {"rope.scaling.attn_factor": 1.25, "rope.scaling.original_context_length": 32}
    path = write_model(tmp_path / "m.gguf", net, "phi3", keys, tensors=tensors)
    same(path, net)  # 60 positions: the long factors
    ids = torch.arange(3, 15)[None]
    with torch.no_grad():
        found, expected = load(path, device="cpu").net(ids).logits, net(ids).logits
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_part_of_a_head_may_turn_where_the_architecture_has_that(tmp_path: Path) -> None:
    net = tiny("phi3", rope_parameters=ROPE | {"partial_rotary_factor": 0.5})
    same(write_model(tmp_path / "m.gguf", net, "phi3"), net)
    with pytest.raises(ActmaxError, match=r"sets 'llama\.rope\.dimension_count' to 4 of a head of 8"):
        load(
            write_model(tmp_path / "l.gguf", tiny("llama"), "llama", {"rope.dimension_count": 4}),
            device="cpu",
        )


@pytest.mark.parametrize(("size", "keys"), [(16, {}), (16, {"rope.dimension_count": None}), (4, {})])
def test_heads_are_as_wide_as_their_keys(tmp_path: Path, size: int, keys: dict[str, Any]) -> None:
    net = tiny("llama", head_dim=size)
    same(write_model(tmp_path / "m.gguf", net, "llama", keys), net)


def test_sliding_windows_are_the_files(tmp_path: Path) -> None:
    net = tiny("phi3", sliding_window=4)
    assert not torch.allclose(logits(net), logits(tiny("phi3")), atol=0.1)
    same(write_model(tmp_path / "m.gguf", net, "phi3"), net)


@pytest.mark.parametrize("scalar", [24, 256])
def test_the_scale_of_gemmas_queries_is_the_files(tmp_path: Path, scalar: int) -> None:
    net = tiny("gemma3", head_dim=16, query_pre_attn_scalar=scalar)
    path = tmp_path / "m.gguf"
    same(write_model(path, net, "gemma3", {"attention.scale": scalar**-0.5}), net)
    with pytest.raises(ActmaxError, match=r"how its queries are scaled \('gemma3\.attention\.scale'\)"):
        load(write_model(path, net, "gemma3"), device="cpu")


def test_soft_caps_are_the_files(tmp_path: Path) -> None:
    net = tiny("gemma2", attn_logit_softcapping=3.0, final_logit_softcapping=2.0)
    same(write_model(tmp_path / "m.gguf", net, "gemma2"), net)


def test_one_value_for_each_block_is_read_where_all_are_equal(tmp_path: Path) -> None:
    net = tiny("llama")
    counts = {"attention.head_count_kv": [2, 2, 2], "feed_forward_length": [64, 64, 64]}
    same(write_model(tmp_path / "m.gguf", net, "llama", counts), net)
    for key in counts:
        path = write_model(tmp_path / "o.gguf", net, "llama", {key: [2, 2, 1]})
        with pytest.raises(ActmaxError, match=f"sets 'llama.{key}' differently for each block"):
            load(path, device="cpu")


def test_rows_beyond_the_tokens_are_there(tmp_path: Path) -> None:
    net = tiny("llama", vocab_size=len(TOKENS) + 7)
    path = write_model(tmp_path / "m.gguf", net, "llama")
    same(path, net)
    assert load(path, device="cpu").vocab_size == len(TOKENS) + 7


@pytest.mark.parametrize(
    ("architecture", "key", "value"),
    [
        ("llama", "expert_count", 8),
        ("llama", "logit_scale", 0.5),
        ("llama", "attention.scale", 0.5),
        ("llama", "attention.sliding_window", 16),
        ("llama", "attention.value_length", 16),
        ("llama", "rope.scaling.type", "yarn"),
        ("llama", "rope.scaling.type", "spiral"),
        ("llama", "rope.scaling.alpha", 2.0),
        ("llama", "a.key.of.next.year", 1),
        ("llama", "attention.causal", False),
        ("llama", "use_parallel_residual", True),
        ("qwen2", "attention.clamp_kqv", 8.0),
        ("qwen3", "rope.dimension_sections", [2, 2]),
        ("qwen3", "expert_used_count", 2),
        ("phi3", "rope.scaling.type", "linear"),
        ("gemma3", "rope.scaling.type", "longrope"),
        ("gpt2", "attention.head_count_kv", 2),
        ("gpt2", "rope.freq_base", 10000.0),
    ],
)
def test_a_key_that_is_not_used_is_named(
    tmp_path: Path, cache: Path, architecture: str, key: str, value: Any
) -> None:
    path = write_model(tmp_path / "odd.gguf", tiny(architecture), architecture, {key: value})
    with pytest.raises(ActmaxError, match=rf"odd\.gguf' sets '{architecture}\.{key}'") as caught:
        load(path, device="cpu")
    assert "safetensors directory instead" in str(caught.value)
    assert left_behind(cache) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("expert_count", 0),
        ("logit_scale", 1.0),
        ("attention.causal", True),
        ("vocab_size", 5),
        ("rope.scaling.finetuned", True),
        ("rope.scaling.type", "none"),
        ("attention.sliding_window", 128),
    ],
)
def test_a_key_that_does_nothing_is_let_through(tmp_path: Path, key: str, value: Any) -> None:
    net = tiny("llama")
    same(write_model(tmp_path / "m.gguf", net, "llama", {key: value}), net)


def test_keys_of_other_tools_are_let_through(tmp_path: Path) -> None:
    net = tiny("llama")
    keys = {"general.name": "x", "quantize.imatrix.file": "y", "somebody.note": 3, "qwen2.block_count": 9}
    same(write_model(tmp_path / "m.gguf", net, "llama", keys=keys), net)


@pytest.mark.parametrize("kind", ["adapter", "mmproj", "imatrix"])
def test_what_is_no_model_says_what_it_is(tmp_path: Path, kind: str) -> None:
    path = write_model(tmp_path / "m.gguf", tiny("llama"), "llama", keys={"general.type": kind})
    with pytest.raises(ActmaxError, match=f"holds what GGUF calls '{kind}', not a model"):
        load(path, device="cpu")


@pytest.mark.parametrize(
    "name",
    ["blk.0.attn_q.scale", "blk.0.ffn_gate_exps.weight", "blk.7.ffn_up.weight", "blk.0.attn_sinks.weight"],
)
def test_a_tensor_without_a_place_is_named(tmp_path: Path, cache: Path, name: str) -> None:
    extra = {name: np.ones((4,), dtype=np.float32)}
    path = write_model(tmp_path / "m.gguf", tiny("qwen2"), "qwen2", tensors=extra)
    with pytest.raises(ActmaxError, match=f"holds '{name}', which a plain qwen2 does not have"):
        load(path, device="cpu")
    assert left_behind(cache) == []


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", tiny("qwen2"), "qwen2", {"feed_forward_length": 32})
    with pytest.raises(ActmaxError, match=r"holds 'blk\.0\.ffn_gate\.weight' as \(64, 32\), but"):
        load(path, device="cpu")


def test_a_part_without_a_tensor_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", tiny("qwen2"), "qwen2", drop=("blk.1.attn_k.bias",))
    with pytest.raises(ActmaxError, match=r"holds no weights for 'blk\.1\.attn_k\.bias'"):
        load(path, device="cpu")


def readable(kind: GGMLQuantizationType) -> bool:
    try:
        dequantize(np.zeros((1, GGML_QUANT_SIZES[kind][1]), dtype=np.uint8), kind)
    except (NotImplementedError, ValueError, KeyError):
        return kind.name in ("F32", "F16")
    return True


@pytest.mark.parametrize("kind", list(GGMLQuantizationType), ids=lambda kind: kind.name)
def test_a_quantisation_is_read_or_named(kind: GGMLQuantizationType) -> None:
    class Held:
        tensor_type = kind
        data = np.zeros(64, dtype=np.float16 if kind.name == "F16" else np.float32)

    model = GgufModel("m.gguf", {}, {"blk.0.ffn_up.weight": Held()})
    if readable(kind):
        check_types(model)
        return
    with pytest.raises(ActmaxError, match=rf"stores 'blk\.0\.ffn_up\.weight' as {kind.name}, which gguf"):
        check_types(model)


def test_a_quantisation_of_the_future_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", tiny("llama"), "llama")
    data = bytearray(path.read_bytes())
    at = data.index(b"blk.0.ffn_up.weight") + len(b"blk.0.ffn_up.weight") + 4 + 2 * 8
    assert data[at : at + 4] == b"\0\0\0\0"
    data[at : at + 4] = (199).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ActmaxError, match=r"stores a tensor as the type 199, .* \(the file is whole\)"):
        load(path, device="cpu")


def test_what_is_stored_is_recorded(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", tiny("llama"), "llama", quantised=GGMLQuantizationType.Q8_0)
    source = load(path, device="cpu").source
    assert source.precision == "Q8_0, F32"
    assert list(source.files) == ["m.gguf"]
    assert read_gguf(path).precision == source.precision
