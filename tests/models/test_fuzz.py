"""Files that somebody broke: each is read with the right numbers, or refused in one sentence.

Seeded mutations of a small model's files. What is right is what transformers computes from the same folder.
``ACTMAX_FUZZ=N`` runs about N cases (3,000 by default), as in ``tests/corpus/test_fuzz.py``.
"""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from tests.assets.wheels import left_behind
from tests.models.test_gguf_tokenizer import sentencepiece_keys
from tests.models.tiny_gguf import byte_level_keys, tiny_llama, write_model
from tests.tiny import tiny_net, tiny_tokenizer
from tests.tiny_folder import tiny_folder
from transformers import AutoModelForCausalLM

from actmax.api.load import load
from actmax.errors import ActmaxError
from actmax.inputs.allowed import allowed_tokens
from actmax.inputs.frame import frame_of
from actmax.models.complaints import hushed
from actmax.models.gguf_file import converted
from actmax.models.gguf_tokenizer import tokenizer_of
from actmax.models.load import wrap
from actmax.models.model import Model

SHARE = int(os.environ.get("ACTMAX_FUZZ", "3000")) / 3000
T = TypeVar("T")

ODD: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    1,
    3,
    2**31,
    10**12,
    0.5,
    -2.0,
    1e300,
    "",
    "x",
    "10",
    [],
    {},
    [1],
    [[]],
]
ODD += [{"a": 1}, "\ud7ff", "é" * 50, "llama", "gpt2", "float16", ["x", 1]]


def attempt(run: Callable[[], T], what: object) -> T | None:
    """The result, or None after a refusal in one sentence; all else fails the test."""
    try:
        return run()
    except ActmaxError as error:
        said = str(error)
        assert "\n" not in said, (what, said)
        assert 10 < len(said) < 900, (what, said)
        assert said[0].isupper() or said[0] in "'\"" or said.startswith("transformers "), (what, said)
        assert said.endswith(".") or said.endswith("?"), (what, said)
        assert not any(word in said for word in ("above report", "Traceback", "object at 0x")), (what, said)
        return None
    except Exception as error:
        raise AssertionError(f"{what} gives {type(error).__name__}: {error}") from error


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into parsed JSON (of long lists only the beginning)."""
    items = data.items() if isinstance(data, dict) else enumerate(data[:6]) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        if len(path) < 4 and not (isinstance(value, dict) and len(value) > 100):
            yield from places(value, (*path, key))


def broken(data: Any, rng: random.Random) -> tuple[Any, str]:
    """Parsed JSON with one to three values changed, removed or renamed; and what was done."""
    data, done = copy.deepcopy(data), []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        path = rng.choice(list(places(data)) or [()])
        if not path:
            break
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        act = rng.choice(["set", "set", "set", "drop", "rename"])
        if act == "set":
            holder[path[-1]] = copy.deepcopy(rng.choice(ODD))
        elif act == "drop":
            del holder[path[-1]]
        elif isinstance(holder, dict):
            holder[f"{path[-1]}x"] = holder.pop(path[-1])
        value = holder.get(path[-1], "-") if isinstance(holder, dict) else "…"
        done.append(f"{act} {'.'.join(map(str, path))} {str(value)[:40]}")
    return data, "; ".join(done)


def damaged(data: bytes, rng: random.Random, reach: int) -> tuple[bytes, str]:
    """Bytes of which one to four near the beginning are changed, removed or doubled."""
    changed = bytearray(data)
    done = []
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(min(reach, len(changed)))
        act = rng.choice(["flip", "flip", "zero", "cut", "double", "big"])
        done.append(f"{act} {at}")
        if act == "flip":
            changed[at] ^= 1 << rng.randrange(8)
        elif act == "zero":
            changed[at : at + 8] = bytes(len(changed[at : at + 8]))
        elif act == "cut":
            del changed[at : at + rng.choice([1, 8, 1000])]
        elif act == "double":
            changed[at:at] = changed[at : at + rng.choice([1, 8])]
        else:
            changed[at : at + 8] = struct.pack("<Q", rng.choice([2**63, 2**40, 2**31, 255]))[
                : len(changed) - at
            ]
    return bytes(changed), "; ".join(done)


def logits(net: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = net(torch.arange(3, 11)[None]).logits
        return found


def as_transformers_reads_it(folder: Path) -> torch.Tensor:
    automatic: Any = AutoModelForCausalLM
    with hushed():
        net = automatic.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return logits(net.eval())


def check_numbers(model: Model, folder: Path, what: str) -> None:
    found, expected = logits(model.net), as_transformers_reads_it(folder)
    assert torch.equal(found, expected), (what, float((found - expected).abs().max()))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("fuzz")
    names = ("llama", "gpt2", "gemma3_text")
    return {name: Path(tiny_folder(base / name, name)) for name in names}


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3_text"])
def test_configs(clean: dict[str, Path], tmp_path: Path, family: str) -> None:
    folder = shutil.copytree(clean[family], tmp_path / "m")
    whole = json.loads((folder / "config.json").read_text())
    rng = random.Random(f"config {family}")
    read = 0
    for _ in range(round(60 * SHARE)):
        config, what = broken(whole, rng)
        (folder / "config.json").write_text(json.dumps(config))
        model = attempt(lambda: load(folder, device="cpu"), what)
        if model is not None:
            read += 1
            check_numbers(model, folder, what)
    assert read


def test_weight_files(clean: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(clean["llama"], tmp_path / "m")
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    size = 8 + struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8:size])
    rng = random.Random("weights")
    for number in range(round(200 * SHARE)):
        if number % 2:
            data, what = damaged(whole, rng, size)
        else:
            changed, what = broken(header, rng)
            text = json.dumps(changed).encode()
            data = struct.pack("<Q", len(text)) + text + whole[size:]
        file.write_bytes(data)
        model = attempt(lambda: load(folder, device="cpu"), what)
        if model is not None:
            check_numbers(model, folder, what)


def test_tokenizer_files(clean: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(clean["llama"], tmp_path / "m")
    rng = random.Random("tokenizer")
    read = 0
    for number in range(round(160 * SHARE)):
        name = ("tokenizer.json", "tokenizer_config.json")[number % 2]
        whole = (clean["llama"] / name).read_text()
        if number % 5:
            data, what = broken(json.loads(whole), rng)
            text = json.dumps(data)
        else:
            raw, what = damaged(whole.encode(), rng, 2000)
            text = raw.decode("utf-8", errors="replace")
        (folder / name).write_text(text, encoding="utf-8")
        model = attempt(lambda: load(folder, device="cpu"), what)
        (folder / name).write_text(whole)
        if model is not None:
            read += 1
            attempt(lambda model=model: use(model), what)  # type: ignore[misc]
    assert read


def use(model: Model) -> None:
    """What a search does with a tokenizer."""
    allowed_tokens(model)
    frame_of(model, prefix="the cat, é 19", suffix=" sat")


PIECES = [
    *(
        "{{ messages[0]['content'] }}",
        "{{ bos_token }}",
        "user: ",
        "{% if messages %}",
        "{% endif %}",
        " | trim }}",
    ),
    *(
        "{% for m in messages %}",
        "{% endfor %}",
        "{{ m.content | upper }}",
        "{{ raise_exception('no') }}",
        "{{",
        "%}",
    ),
    *(
        "{{ m['role'] }}",
        "{% set x = 1 %}",
        "{{ 1 / 0 }}",
        "{{ x.y.z }}",
        "</s>",
        "{% break %}",
        "{{ messages[7] }}",
    ),
    *("{{ range(10**12) }}", "{# note", "{% macro f() %}", "{{ f() }}", "{{ strftime_now('%Y') }}", "\n"),
]


def test_chat_templates() -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer())
    model = wrap(tiny_net(), tokenizer)
    rng = random.Random("template")
    framed = 0
    for _ in range(round(1500 * SHARE)):
        tokenizer.chat_template = "".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 7)))
        what = tokenizer.chat_template
        frame = attempt(lambda: frame_of(model, prefix="a", suffix="b", chat=True), what)
        if frame is not None:
            framed += 1
            said = [{"role": "user", "content": "athe catb"}]
            ids = tokenizer.encode(
                tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True),
                add_special_tokens=False,
            )
            assert ids[-len(frame.after) :] == list(frame.after) or not frame.after, what
    assert framed > 20


def test_gguf_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    net = tiny_llama(tied=False)
    whole = write_model(tmp_path / "m.gguf", net, "llama").read_bytes()
    header = whole.index(b"token_embd.weight") + 2000
    net.set_attn_implementation("eager")
    expected = logits(net)
    rng = random.Random("gguf")
    path = tmp_path / "broken.gguf"
    for _ in range(round(150 * SHARE)):
        data, what = damaged(whole, rng, header)
        path.write_bytes(data)
        if attempt(lambda: converted(path, name="broken"), what) is None:
            assert left_behind(tmp_path / "cache") == [], what
            continue
        model = attempt(lambda: load(path, device="cpu"), what)
        if model is not None and model.net.config.rms_norm_eps == net.config.rms_norm_eps:
            same_weights = all(
                torch.equal(value, net.state_dict()[name]) for name, value in model.net.state_dict().items()
            )
            rope = model.net.config.rope_parameters == net.config.rope_parameters
            heads = model.net.config.num_attention_heads == net.config.num_attention_heads
            if same_weights and rope and heads:
                assert torch.equal(logits(model.net), expected), what
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)


def test_gguf_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    net = tiny_llama()
    rng = random.Random("settings")
    names = ["block_count", "context_length", "attention.head_count", "rope.freq_base", "rope.scaling.type"]
    names += [
        "attention.key_length",
        "rope.dimension_count",
        "rope.scaling.factor",
        "expert_count",
        "vocab_size",
    ]
    values = [
        None,
        True,
        0,
        1,
        2,
        3,
        7,
        2**31 - 1,
        0.5,
        1e30,
        -1.0,
        "",
        "yarn",
        "linear",
        [1, 2],
        [4, 4],
        ["x"],
    ]
    for _ in range(round(120 * SHARE)):
        changes = {rng.choice(names): rng.choice(values) for _ in range(rng.choice([1, 1, 2]))}
        path = write_model(tmp_path / "m.gguf", net, "llama", changes)
        attempt(lambda path=path: load(path, device="cpu"), changes)  # type: ignore[misc]


@pytest.mark.parametrize("keys", [byte_level_keys(), sentencepiece_keys()], ids=["bytes", "pieces"])
def test_gguf_tokenizers(keys: dict[str, Any]) -> None:
    rng = random.Random(len(keys))
    built = 0
    for _ in range(round(250 * SHARE)):
        changed, what = broken(keys, rng)
        found = attempt(lambda changed=changed: tokenizer_of(changed, Path("m.gguf")), what)  # type: ignore[misc]
        if found is not None:
            built += 1
            found.encode("the cat é 19", add_special_tokens=False)
    assert built
