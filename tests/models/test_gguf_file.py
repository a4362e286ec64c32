from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, quants
from hypothesis import given
from hypothesis import strategies as st
from tests.assets.small_disk import small_disk
from tests.assets.wheels import left_behind
from tests.models.tiny_gguf import TOKENS, gguf_name, interleaved, tiny_llama, tiny_qwen2, write_gguf

from actmax.api.load import load
from actmax.cache import sha256_of
from actmax.errors import ActmaxError
from actmax.models.gguf_file import converted, record_of
from actmax.models.gguf_weights import halves_first, places


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def logits(net: Any) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = net(torch.arange(3, 35)[None]).logits
        return result


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_a_llama_comes_back_bit_for_bit(tmp_path: Path, tied: bool, bias: bool) -> None:
    net = tiny_llama(tied=tied, bias=bias)
    model = load(write_gguf(tmp_path / "tiny.gguf", net), device="cpu")
    assert model.name == "tiny.gguf"
    assert model.source.kind == "gguf"
    assert model.source.sha256 == sha256_of(tmp_path / "tiny.gguf")
    for name, value in net.state_dict().items():
        assert torch.equal(model.net.state_dict()[name], value), name
    net.set_attn_implementation("eager")
    assert torch.equal(logits(model.net), logits(net))


def test_quantised_weights_are_what_gguf_says_they_are(tmp_path: Path) -> None:
    net = tiny_llama()
    kind = GGMLQuantizationType.Q8_0
    model = load(write_gguf(tmp_path / "tiny.gguf", net, quantised=kind), device="cpu")
    for name, value in net.state_dict().items():
        expected = value.numpy()
        if value.ndim == 2:
            expected = quants.dequantize(quants.quantize(expected, kind), kind)
        assert np.array_equal(model.net.state_dict()[name].numpy(), expected), name


def test_another_architecture_goes_through_transformers(tmp_path: Path) -> None:
    net = tiny_qwen2()
    model = load(write_gguf(tmp_path / "q.gguf", net, architecture="qwen2", pre="qwen2"), device="cpu")
    net.set_attn_implementation("eager")
    assert torch.equal(logits(model.net), logits(net))


@given(heads=st.integers(1, 5), half=st.integers(1, 6), width=st.integers(1, 4))
def test_halves_first_undoes_the_interleaving(heads: int, half: int, width: int) -> None:
    rows = np.arange(heads * 2 * half * width).reshape(heads * 2 * half, width)
    assert np.array_equal(halves_first(interleaved(rows, heads), heads), rows)
    assert np.array_equal(halves_first(interleaved(rows[:, 0], heads), heads), rows[:, 0])


def test_names_are_the_inverse_of_llama_cpps() -> None:
    net = tiny_llama(tied=False, bias=True)
    assert places(net, "llama", 2) == {gguf_name(name): name for name in net.state_dict()}


def test_the_tokenizer_cuts_merges_and_keeps_special_tokens_whole(tmp_path: Path) -> None:
    tokenizer = load(write_gguf(tmp_path / "tiny.gguf", tiny_llama()), device="cpu").tokenizer
    text = "hello world 2024<|im_end|>é\n"
    ids = tokenizer(text)["input_ids"]
    names = tokenizer.convert_ids_to_tokens(ids)
    assert names[:3] == ["hello", "Ġwo", "r"]
    assert names[5:10] == ["Ġ", "2", "0", "2", "4"]
    assert "<|im_end|>" in names
    assert tokenizer.decode(ids) == text
    assert len(tokenizer) == len(TOKENS)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (1, 2)


def test_conversion_happens_once_and_a_damaged_copy_is_made_again(tmp_path: Path, cache: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", tiny_llama())
    stages: list[str] = []
    folder = converted(path, name="tiny", progress=lambda stage, done, total, **more: stages.append(stage))
    assert set(stages) == {"converting", "verifying"}
    record = record_of(folder)
    assert record is not None
    assert record.weights_sha256 == sha256_of(folder / "model.safetensors")
    stages.clear()
    assert (
        converted(path, name="tiny", progress=lambda stage, done, total, **more: stages.append(stage))
        == folder
    )
    assert stages == []
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1])
    assert record_of(folder) is None
    assert converted(path, name="tiny") == folder
    assert (folder / "model.safetensors").read_bytes() == weights
    assert [item.name for item in (cache / "models").iterdir()] == [folder.name]


def test_what_is_not_a_whole_gguf_file_gets_a_sentence(tmp_path: Path, cache: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", tiny_llama())
    content = path.read_bytes()
    for keep in (0, 3, 100, len(content) // 2, len(content) - 40):
        path.write_bytes(content[:keep])
        with pytest.raises(ActmaxError, match=r"'tiny\.gguf' is not a whole GGUF model file"):
            load(path, device="cpu")
    path.write_bytes(b"PK" + content[2:])
    with pytest.raises(ActmaxError, match="is not a whole GGUF model file"):
        load(path, device="cpu")
    assert left_behind(cache) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"extra_tensor": "blk.0.attn_sinks.weight"},
            "holds 'blk.0.attn_sinks.weight', which a plain llama",
        ),
        ({"extra": {"llama.rope.scaling.type": "yarn"}}, "sets 'llama.rope.scaling.type'"),
        ({"architecture": "bert"}, "cannot be read from GGUF"),
        ({"architecture": "qwen2", "extra": {"general.name": "x"}}, "holds no weights for"),
    ],
)
def test_what_cannot_be_converted_gets_a_sentence(
    tmp_path: Path, cache: Path, settings: dict[str, Any], said: str
) -> None:
    # The last one is a llama without biases that claims to be a qwen2, which has them.
    path = write_gguf(tmp_path / "odd.gguf", tiny_llama(), **settings)
    with pytest.raises(ActmaxError, match=said) as caught:
        load(path, device="cpu")
    assert "safetensors directory instead" in str(caught.value)
    assert left_behind(cache) == []


@pytest.mark.parametrize("size", ["16k", "48k", "80k", "112k"])
def test_a_full_disk_while_converting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: str) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", tiny_llama())
    with small_disk(tmp_path / "disk", size) as disk:
        monkeypatch.setenv("ACTMAX_CACHE", str(disk / "cache"))
        with pytest.raises(ActmaxError, match=r"failed: no space is left"):
            load(path, device="cpu")
        assert left_behind(disk / "cache") == []
