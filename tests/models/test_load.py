from __future__ import annotations

import json
import logging
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.tiny_gguf import SPECIAL, TOKENS, WORDS, tiny_llama
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers.utils import logging as talk

from actmax.api.load import load
from actmax.cache import sha256_of
from actmax.errors import ActmaxError
from actmax.models.complaints import hushed, plain_errors
from actmax.models.directory import file_hash, hash_of_hashes, weight_files
from actmax.models.gguf_tokenizer import tokenizer_of
from actmax.models.load import wrap
from actmax.models.placement import device_of, dtype_of


def weights_hash(folder: Path) -> str:
    return hash_of_hashes({path.name: file_hash(path) for path in weight_files(folder).paths})


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    fields = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)),
        "tokenizer.ggml.merges": [" ".join(pair) for pair in WORDS],
        "tokenizer.ggml.bos_token_id": 1,
    }
    built = tokenizer_of(fields, tmp_path_factory.getbasetemp())
    assert isinstance(built, PreTrainedTokenizerFast)
    return built


@pytest.fixture
def folder(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A whole model directory, to be broken by the test."""
    path = tmp_path / "tiny-model"
    tiny_llama().save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def edit_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")


def test_a_directory_loads_frozen(folder: Path) -> None:
    model = load(folder, device="cpu")
    assert model.name == "tiny-model"
    assert (model.source.kind, model.source.location) == ("directory", str(folder))
    assert model.source.sha256 == weights_hash(folder)
    assert not model.net.training
    assert not any(parameter.requires_grad for parameter in model.net.parameters())
    for name, value in tiny_llama().state_dict().items():
        assert torch.equal(model.net.state_dict()[name], value), name
    assert model.tokenizer("hello")["input_ids"] == [TOKENS.index("hello")]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_dtype(folder: Path, dtype: str) -> None:
    model = load(folder, device="cpu", dtype=dtype)
    assert model.dtype == dtype_of(dtype)
    assert all(parameter.dtype == model.dtype for parameter in model.net.parameters())


def test_the_hash_of_a_directory_changes_with_its_weights(folder: Path) -> None:
    before = weights_hash(folder)
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert weights_hash(folder) != before
    assert len(before) == len(sha256_of(weights))


class Bomb:
    """Unpickling this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self.path,))


def test_pickled_weights_are_refused_unopened(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    fired = tmp_path / "fired"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(fired)))
    with pytest.raises(ActmaxError, match=r"holds its weights pickled \('pytorch_model.bin'\)"):
        load(folder, device="cpu")
    assert not fired.exists()
    pickle.loads((folder / "pytorch_model.bin").read_bytes())
    assert fired.exists(), "the bomb is a real one"


def test_code_of_the_models_own_is_never_run(folder: Path, tmp_path: Path) -> None:
    fired = tmp_path / "fired"
    code = f"from pathlib import Path\nPath({str(fired)!r}).touch()\nclass C: pass\n"
    (folder / "mine.py").write_text(code, encoding="utf-8")
    auto = dict.fromkeys(("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer"), "mine.C")
    edit_json(folder / "config.json", auto_map=auto)
    edit_json(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["mine.C", "mine.C"]})
    load(folder, device="cpu")  # transformers' own llama is used instead
    assert not fired.exists()
    edit_json(folder / "config.json", auto_map=auto, model_type="mine")
    with pytest.raises(ActmaxError, match="wants to run Python code of its own, which actmax never does"):
        load(folder, device="cpu")
    assert not fired.exists()


@pytest.mark.parametrize(
    ("remove", "said"),
    [
        ("config.json", "holds no config.json; give the directory that save_pretrained wrote"),
        ("model.safetensors", "holds no weights; it needs model.safetensors"),
        ("tokenizer.json", "holds no tokenizer; save the model's tokenizer there"),
    ],
)
def test_a_directory_with_a_file_missing(folder: Path, remove: str, said: str) -> None:
    (folder / remove).unlink()
    with pytest.raises(ActmaxError, match=said):
        load(folder, device="cpu")


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(ActmaxError, match=r"holds no config\.json"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_type": 3}', "\x00\x01"])
def test_a_config_that_cannot_be_read(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(ActmaxError, match=r"config\.json of .* (cannot be read|names no model_type)"):
        load(folder, device="cpu")


@pytest.mark.parametrize("keep", [0, 4, 100, 20_000])
def test_damaged_weights(folder: Path, keep: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ActmaxError, match="weights of 'tiny-model' are damaged or cut short"):
        load(folder, device="cpu")


def test_a_missing_weight_is_not_made_up(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ActmaxError, match=r"lack 'model\.layers\.1\.mlp\.up_proj\.weight' \(1 missing"):
        load(folder, device="cpu")


def test_a_weight_of_the_wrong_shape(folder: Path) -> None:
    edit_json(folder / "config.json", intermediate_size=32)
    with pytest.raises(ActmaxError, match="'tiny-model' cannot be loaded"):
        load(folder, device="cpu")


def test_unknown_architectures(folder: Path) -> None:
    edit_json(folder / "config.json", model_type="no_such_architecture")
    with pytest.raises(ActmaxError, match="does not know the architecture of 'tiny-model'"):
        load(folder, device="cpu")
    edit_json(folder / "config.json", model_type="mamba")
    with pytest.raises(ActmaxError, match=r"architecture 'mamba' is not known.*add it"):
        load(folder, device="cpu")


@pytest.mark.parametrize(
    "name", ["./nowhere", "/no/such/place", "a/b/c", "model/", "missing.gguf", "~/nowhere"]
)
def test_a_path_that_is_not_there(name: str) -> None:
    with pytest.raises(ActmaxError, match=r"There is no model at .*; check the path"):
        load(name)


def test_a_file_that_is_no_gguf(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"x")
    with pytest.raises(ActmaxError, match=r"is a file; --model takes a \.gguf file"):
        load(path)


@pytest.mark.parametrize("name", ["no such model", "a name with [red]markup[/red]", "ünïcode", "x" * 200])
def test_what_cannot_be_a_hub_name(name: str) -> None:
    with pytest.raises(ActmaxError, match=r"There is no model|cannot be reached"):
        load(name)


def test_an_unreachable_hub(tmp_path: Path) -> None:
    """In a process of its own, as the hub's address is read once at import."""
    import subprocess
    import sys

    import actmax

    code = "from actmax.api.load import load\nfrom actmax.errors import ActmaxError\n"
    code += "try: load('gpt2')\nexcept ActmaxError as error: print(error)"
    for change in ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        environment = {
            "PATH": "",
            "HF_HOME": str(tmp_path),
            "PYTHONPATH": str(Path(str(actmax.__file__)).parents[1]),
        }
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, **change},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert (
            "'gpt2' is not a directory or .gguf file here, and the model hub cannot be reached" in done.stdout
        )
        assert "\n" not in done.stdout.strip()


def test_devices_and_dtypes_by_name() -> None:
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("auto").type in ("cpu", "cuda")
    assert device_of(torch.device("cpu")) == torch.device("cpu")
    assert dtype_of("bfloat16") is dtype_of(torch.bfloat16) is torch.bfloat16
    for name in ("", "gpu", "cpu:x", "meta", "cuda:-1"):
        with pytest.raises(ActmaxError, match="is not known; use auto, cpu, cuda"):
            device_of(name)
    for wrong in ("", "f32", "int8", torch.int64):
        with pytest.raises(ActmaxError, match="use one of float32, float64, bfloat16, float16"):
            dtype_of(wrong)
    with pytest.raises(ActmaxError, match=r"There is no device 'cuda:99': .*; use --device cpu"):
        device_of("cuda:99")


def test_a_model_that_reads_embeddings_otherwise_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    """As some models do that scale embeddings outside the embedding module."""
    net = tiny_llama()

    def scale(module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if kwargs.get("inputs_embeds") is not None:
            kwargs["inputs_embeds"] = kwargs["inputs_embeds"] * 1.01
        return args, kwargs

    assert wrap(net, tokenizer).source.kind == "memory"
    net.model.register_forward_pre_hook(scale, with_kwargs=True)
    with pytest.raises(ActmaxError, match="'odd' treats embeddings differently from token ids"):
        wrap(net, tokenizer, name="odd")


def test_activations_that_are_not_finite_are_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    net = tiny_llama()
    with torch.no_grad():
        net.model.layers[0].mlp.down_proj.weight *= 1e37
    with pytest.raises(ActmaxError, match="activations that are not finite in float32"):
        wrap(net, tokenizer)


def test_wrap_freezes_and_switches_dropout_off(tokenizer: PreTrainedTokenizerFast) -> None:
    config = GPT2Config(vocab_size=len(TOKENS), n_embd=16, n_layer=2, n_head=2, n_positions=5)
    net = GPT2LMHeadModel(config).train()
    model = wrap(net, tokenizer, name="mine")
    assert (model.name, model.context) == ("mine", 5)
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_transformers_settings_are_put_back() -> None:
    talk.set_verbosity_warning()
    talk.enable_progress_bar()
    with hushed():
        assert not talk.is_progress_bar_enabled()
    with pytest.raises(ZeroDivisionError), hushed():
        raise ZeroDivisionError
    assert talk.is_progress_bar_enabled()
    assert talk.get_verbosity() == logging.WARNING


def test_two_loads_agree(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "copy"
    shutil.copytree(folder, other)
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        first = load(folder, device="cpu").net(ids).logits
        second = load(other, device="cpu").net(ids).logits
    assert torch.equal(first, second)


def test_a_model_that_does_not_fit_into_memory_gets_a_sentence() -> None:
    with (
        pytest.raises(ActmaxError, match="'big' does not fit into memory; use --dtype bfloat16"),
        plain_errors("big"),
    ):
        raise MemoryError
