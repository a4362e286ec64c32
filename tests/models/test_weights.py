"""Every tensor of a directory is used, known to be harmless, or named in a refusal."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.tiny import tiny_ids, tiny_net, tiny_tokenizer
from tests.tiny_folder import tiny_folder
from torch import Tensor
from transformers import PreTrainedModel

import actmax
from actmax.api.load import load
from actmax.cache import sha256_of
from actmax.cli.main import main
from actmax.errors import ActmaxError
from actmax.models.load import wrap
from actmax.models.read import read
from actmax.models.sites import list_sites, resolve_site

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(tiny_folder(tmp_path / "tiny"))


def change(folder: Path, add: Mapping[str, Tensor] | None = None, drop: tuple[str, ...] = ()) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors = {name: value for name, value in tensors.items() if name not in drop} | dict(add or {})
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def set_config(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def logits(net: PreTrainedModel) -> Tensor:
    net.eval().set_attn_implementation("eager")
    with torch.no_grad():
        found: Tensor = net(tiny_ids()).logits
        return found


def shards(folder: Path, n: int) -> None:
    """``model.safetensors`` as n shards with an index, as save_pretrained writes them."""
    tensors = load_file(folder / WEIGHTS)
    names = [f"model-{k + 1:05d}-of-{n:05d}.safetensors" for k in range(n)]
    for k, name in enumerate(names):
        part = dict(list(tensors.items())[k::n])
        save_file(part, folder / name, metadata={"format": "pt"})
    where = {tensor: names[i % n] for i, tensor in enumerate(tensors)}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": where}))


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.0.self_attn.q_proj.bias",
        "model.layers.2.mlp.down_proj.bias",
        "model.layers.0.self_attn.q_norm.weight",
        "model.layers.3.mlp.down_proj.weight",
        "model.layers.0.self_attn.sinks",
        "model.mtp.0.proj.weight",
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
        "anything",
    ],
)
def test_a_tensor_without_a_place_is_named(folder: Path, name: str) -> None:
    change(folder, add={name: torch.ones(3)})
    with pytest.raises(ActmaxError, match=f"hold '{name}', for which the architecture 'llama' has no place"):
        load(folder, device="cpu")


@pytest.mark.parametrize("scale", ["weight_scale", "input_scale", "weight_scale_inv"])
def test_scales_are_not_left_out(folder: Path, scale: str) -> None:
    change(folder, add={f"model.layers.0.mlp.down_proj.{scale}": torch.ones(())})
    with pytest.raises(ActmaxError, match=f"are quantised .* 'model.layers.0.mlp.down_proj.{scale}'"):
        load(folder, device="cpu")


@pytest.mark.parametrize("method", ["modelopt", "fp8", "gptq", "a new one"])
def test_quantised_weights_are_refused_by_method(folder: Path, method: str) -> None:
    set_config(folder, quantization_config={"quant_method": method})
    with pytest.raises(
        ActmaxError, match=rf"are quantised \({method}\); use the model's unquantised weights"
    ):
        load(folder, device="cpu")


def test_integers_are_not_weights(folder: Path) -> None:
    name = "model.layers.0.mlp.down_proj.weight"
    change(folder, add={name: torch.ones(32, 64, dtype=torch.int8)})
    with pytest.raises(ActmaxError, match=f"hold '{name}' as I8"):
        load(folder, device="cpu")


def test_what_changes_nothing_is_let_through_when_it_is_that(folder: Path) -> None:
    net = tiny_net()
    frequencies = net.model.rotary_emb.inv_freq.clone()
    change(folder, add={"model.layers.0.self_attn.rotary_emb.inv_freq": frequencies})
    assert torch.equal(logits(load(folder, device="cpu").net), logits(net))
    change(folder, add={"model.layers.0.self_attn.rotary_emb.inv_freq": frequencies / 8})
    with pytest.raises(ActmaxError, match=r"rotary_emb\.inv_freq', for which"):
        load(folder, device="cpu")


def test_old_causal_masks_are_let_through_and_biases_of_that_name_are_not(tmp_path: Path) -> None:
    folder = Path(tiny_folder(tmp_path / "gpt2", "gpt2"))
    mask = torch.ones(1, 1, 64, 64, dtype=torch.uint8).tril()
    old = {"transformer.h.0.attn.bias": mask, "transformer.h.0.attn.masked_bias": torch.tensor(-1e4)}
    change(folder, add=old)
    assert torch.equal(logits(load(folder, device="cpu").net), logits(tiny_net("gpt2")))
    for wrong in (torch.ones(32), torch.ones(1, 1, 64, 64)):
        change(folder, add={"transformer.h.0.attn.bias": wrong})
        with pytest.raises(ActmaxError, match=r"'transformer\.h\.0\.attn\.bias', for which"):
            load(folder, device="cpu")


def test_names_without_the_models_prefix_have_their_place(tmp_path: Path) -> None:
    folder = Path(tiny_folder(tmp_path / "gpt2", "gpt2"))
    tensors = load_file(folder / WEIGHTS)
    bare = {name.removeprefix("transformer."): value for name, value in tensors.items()}
    save_file(bare, folder / WEIGHTS, metadata={"format": "pt"})
    assert torch.equal(logits(load(folder, device="cpu").net), logits(tiny_net("gpt2")))


def test_a_head_of_its_own_under_a_tied_config(folder: Path) -> None:
    """A config may say that the head is the embedding while the file holds another: the file's is right."""
    net = tiny_net(tie_word_embeddings=True)
    set_config(folder, tie_word_embeddings=True)
    change(folder, drop=("lm_head.weight",))
    change(folder, add={k: v for k, v in net.state_dict().items() if k != "lm_head.weight"})
    assert torch.equal(logits(load(folder, device="cpu").net), logits(net))
    own = torch.randn(net.lm_head.weight.shape, generator=torch.Generator().manual_seed(0))
    change(folder, add={"lm_head.weight": own})
    found = load(folder, device="cpu").net.state_dict()
    assert torch.equal(found["lm_head.weight"], own)
    assert torch.equal(found["model.embed_tokens.weight"], net.state_dict()["model.embed_tokens.weight"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_no_number_is_named(folder: Path, value: float) -> None:
    name = "model.layers.2.mlp.up_proj.weight"
    weight = load_file(folder / WEIGHTS)[name]
    weight[3, 5] = value
    change(folder, add={name: weight})
    with pytest.raises(ActmaxError, match=f"weight '{name}' of 'tiny' holds values that are not numbers"):
        load(folder, device="cpu")


def test_a_weight_too_large_for_half_precision_is_named(folder: Path) -> None:
    name = "model.layers.2.mlp.up_proj.weight"
    change(folder, add={name: load_file(folder / WEIGHTS)[name] * 1e6})
    load(folder, device="cpu")
    with pytest.raises(
        ActmaxError, match=f"'{name}' of 'tiny' does not fit into float16; use --dtype float32"
    ):
        load(folder, device="cpu", dtype="float16")


def test_shapes_are_compared_before_anything_is_read(folder: Path) -> None:
    set_config(folder, vocab_size=10**9)
    with pytest.raises(ActmaxError, match=r"'tiny' cannot be loaded: its weights hold '.*' as 306 x 32"):
        load(folder, device="cpu")
    set_config(folder, vocab_size=306, num_hidden_layers=10**6)
    with pytest.raises(ActmaxError, match="asks for 1000000 blocks and its weights hold 30 tensors"):
        load(folder, device="cpu")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("logit_scale", 0.5),
        ("embedding_multiplier", 12.0),
        ("attn_logit_softcapping", 50.0),
        ("num_local_experts", 8),
        ("query_pre_attn_scalar", 144),
    ],
)
def test_a_setting_that_the_architecture_ignores_is_named(folder: Path, key: str, value: float) -> None:
    set_config(folder, **{key: value})
    with pytest.raises(
        ActmaxError, match=f"sets '{key}' to {value}, which the architecture 'llama' does not"
    ):
        load(folder, device="cpu")


def test_settings_that_do_nothing_are_let_through(folder: Path) -> None:
    set_config(folder, logit_scale=1.0, rope_interleaved=False, is_llama_config=True, unsloth_version="1")
    load(folder, device="cpu")


def test_rotary_settings_are_read_or_named(folder: Path) -> None:
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 1e4}
    set_config(folder, rope_parameters=yarn)
    expected = tiny_net(rope_parameters=yarn)
    assert torch.equal(logits(load(folder, device="cpu").net), logits(expected))
    assert not torch.equal(logits(expected), logits(tiny_net()))
    set_config(folder, rope_parameters=yarn | {"facter": 2.0})
    with pytest.raises(ActmaxError, match="sets 'facter' for rotary embeddings of the kind 'yarn'"):
        load(folder, device="cpu")
    set_config(folder, rope_parameters=yarn | {"rope_type": "spiral"})
    with pytest.raises(ActmaxError, match=r"'tiny'.*'spiral'"):
        load(folder, device="cpu")


def test_shards_are_read_and_a_missing_one_is_named(folder: Path) -> None:
    whole = load(folder, device="cpu")
    shards(folder, 3)
    (folder / WEIGHTS).unlink()
    model = load(folder, device="cpu")
    assert torch.equal(logits(model.net), logits(whole.net))
    assert INDEX in model.source.files
    assert sum(name.endswith("-of-00003.safetensors") for name in model.source.files) == 3
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(ActmaxError, match=r"lacks 'model-00002-of-00003\.safetensors' \(1 of its 3 shards"):
        load(folder, device="cpu")


def test_one_tensor_in_two_shards_is_refused(folder: Path) -> None:
    shards(folder, 2)
    (folder / WEIGHTS).unlink()
    second = folder / "model-00002-of-00002.safetensors"
    first = load_file(folder / "model-00001-of-00002.safetensors")
    name = next(iter(first))
    save_file(load_file(second) | {name: first[name] + 1}, second, metadata={"format": "pt"})
    with pytest.raises(ActmaxError, match=rf"hold '{name}', and one of them would be left out"):
        load(folder, device="cpu")


def test_which_of_two_sets_of_weights_was_read_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards(folder, 2)
    model = load(folder, device="cpu")
    assert model.source.files[WEIGHTS] == sha256_of(folder / WEIGHTS)
    assert not any("-of-" in name for name in model.source.files)
    assert model.source.note == f"{WEIGHTS} was read; the shards that {INDEX} lists beside it were not."
    assert main(["sites", "--model", str(folder)]) == 0
    assert model.source.note in capsys.readouterr().err
    assert main(["sites", "--model", str(folder), "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_stray_files_change_neither_numbers_nor_hash(folder: Path) -> None:
    before = load(folder, device="cpu")
    save_file({"step": torch.ones(1)}, folder / "optimizer.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"not opened")
    after = load(folder, device="cpu")
    assert after.source == before.source
    assert torch.equal(logits(after.net), logits(before.net))


def test_weights_under_another_name_are_named(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "model.fp16.safetensors")
    with pytest.raises(
        ActmaxError, match=r"holds no model\.safetensors, but 'model\.fp16\.safetensors'; rename"
    ):
        load(folder, device="cpu")


def test_every_file_that_was_read_is_recorded_with_its_hash(folder: Path) -> None:
    source = load(folder, device="cpu", dtype="bfloat16").source
    assert {"config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"} <= source.files.keys()
    assert all(sha256_of(folder / name) == digest for name, digest in source.files.items())
    assert source.precision == "float32"


@pytest.mark.parametrize("beside", [True, False])
def test_an_adapters_directory_says_what_it_is(folder: Path, beside: bool) -> None:
    (folder / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "base_model_name_or_path": "some/base"}'
    )
    if not beside:
        (folder / "config.json").unlink()
    said = r"an adapter as well \(LORA" if beside else r"an adapter \(LORA.* for the model 'some/base'"
    with pytest.raises(ActmaxError, match=said):
        load(folder, device="cpu")


def test_a_peft_model_in_memory_has_the_widths_of_its_model() -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of peft's own calls to transformers
        adapted = peft.get_peft_model(
            tiny_net(), peft.LoraConfig(r=2, target_modules=["down_proj", "q_proj"], init_lora_weights=False)
        )
    model = wrap(adapted, tiny_tokenizer())
    assert list_sites(model) == list_sites(wrap(tiny_net(), tiny_tokenizer()))
    site = resolve_site(model, "unembed.hook_logits")
    with torch.no_grad():
        expected = adapted(tiny_ids()).logits
        assert torch.equal(read(model, [site], ids=tiny_ids())[site], expected)
        assert not torch.equal(tiny_net()(tiny_ids()).logits, expected)


def test_the_tokenizer_of_a_directory_is_its_tokenizer_json(folder: Path) -> None:
    """A class that the config names would cut digits as GPT-2 does."""
    whole = json.loads((folder / "tokenizer.json").read_text())
    three = {"type": "Split", "pattern": {"Regex": r"\p{N}{1,3}"}, "behavior": "Isolated", "invert": False}
    whole["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [three, whole["pre_tokenizer"]]}
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    for name in ("GPT2Tokenizer", "LlamaTokenizer", "NoSuchTokenizer", "PreTrainedTokenizerFast"):
        (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": name}))
        backend: Any = load(folder, device="cpu").tokenizer.backend_tokenizer
        cut = backend.pre_tokenizer.pre_tokenize_str("a 25000")
        assert [piece for piece, _ in cut] == ["a", "Ġ", "250", "00"], name


HUB = """
import json, sys
import actmax
model = actmax.load("someone/tiny", device="cpu")
print(json.dumps([model.source.kind, model.source.revision, dict(model.source.files), model.source.sha256]))
"""


def test_a_hub_model_in_the_cache_is_read_and_recorded_as_a_directory_is(
    folder: Path, tmp_path: Path
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "hub" / "models--someone--tiny"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    (repo / "snapshots").mkdir()
    folder.rename(repo / "snapshots" / commit)
    source = str(Path(str(actmax.__file__)).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", HUB],
        env={"PATH": "", "HF_HOME": str(tmp_path), "PYTHONPATH": source, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    kind, revision, files, digest = json.loads(done.stdout)
    here = load(repo / "snapshots" / commit, device="cpu").source
    assert (kind, revision, files, digest) == ("hub", commit, dict(here.files), here.sha256)
