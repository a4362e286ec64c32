"""Split GGUF models, and what lies beside a file or what it is called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from gguf import GGUFReader, GGUFWriter
from tests.assets.wheels import left_behind
from tests.models.tiny_gguf import byte_level_keys, settings_of, tiny_llama, write_keys, write_model

from actmax.api.load import load
from actmax.cache import sha256_of
from actmax.errors import ActmaxError

PARTS = [f"m-0000{k}-of-00003.gguf" for k in (1, 2, 3)]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_model(tmp_path / "whole.gguf", tiny_llama(tied=False), "llama")


def split(whole: Path, folder: Path) -> list[Path]:
    """The file in three parts, as llama-gguf-split makes them: all metadata in the first."""
    folder.mkdir()
    tensors = list(GGUFReader(str(whole)).tensors)
    net = tiny_llama(tied=False)
    for number, name in enumerate(PARTS):
        writer = GGUFWriter(str(folder / name), "llama")
        if number == 0:
            write_keys(writer, {f"llama.{k}": v for k, v in settings_of(net, "llama").items()})
            write_keys(writer, byte_level_keys())
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", 3)
        writer.add_int32("split.tensors.count", len(tensors))
        for tensor in tensors[number::3]:
            writer.add_tensor(tensor.name, tensor.data)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return [folder / name for name in PARTS]


def test_all_parts_are_read_whichever_is_given(whole: Path, tmp_path: Path) -> None:
    parts = split(whole, tmp_path / "split")
    expected = load(whole, device="cpu").net.state_dict()
    for part in parts:
        model = load(part, device="cpu")
        assert all(torch.equal(value, expected[name]) for name, value in model.net.state_dict().items())
        assert model.source.files == {path.name: sha256_of(path) for path in parts}


def test_a_missing_part_is_named(whole: Path, tmp_path: Path, cache: Path) -> None:
    parts = split(whole, tmp_path / "split")
    parts[1].unlink()
    said = r"'m-00003-of-00003\.gguf' is part 3 of 3, and part 2 \('m-00002-of-00003\.gguf'\) is not"
    with pytest.raises(ActmaxError, match=said):
        load(parts[2], device="cpu")
    assert left_behind(cache) == []


def test_a_part_under_another_name_is_refused(whole: Path, tmp_path: Path, cache: Path) -> None:
    parts = split(whole, tmp_path / "split")
    renamed = parts[0].rename(tmp_path / "model.gguf")
    with pytest.raises(ActmaxError, match=r"'model\.gguf' is part 1 of 3 of a model"):
        load(renamed, device="cpu")
    assert left_behind(cache) == []


def test_parts_of_different_models_are_refused(whole: Path, tmp_path: Path) -> None:
    parts = split(whole, tmp_path / "split")
    shutil.copy(parts[0], parts[1])
    with pytest.raises(ActmaxError, match="is called part 2 of 3 but says that it is part 1 of 3"):
        load(parts[0], device="cpu")


def test_a_neighbours_tokenizer_is_not_used(whole: Path, tmp_path: Path) -> None:
    expected = load(whole, device="cpu").tokenizer.backend_tokenizer.to_str()
    other = json.loads(expected)
    other["model"]["merges"] = []
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "tokenizer.json").write_text(json.dumps(other))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}')
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    assert load(whole, device="cpu").tokenizer.backend_tokenizer.to_str() == expected


def test_a_conversion_depends_on_the_bytes_and_not_on_the_name(
    whole: Path, tmp_path: Path, cache: Path
) -> None:
    model = load(whole, device="cpu")
    copy = tmp_path / "elsewhere" / "other.gguf"
    copy.parent.mkdir()
    shutil.copy(whole, copy)
    again = load(copy, device="cpu")
    assert len(list((cache / "models").iterdir())) == 1
    assert (again.name, again.source.sha256) == ("other.gguf", model.source.sha256)
    assert list(again.source.files) == ["other.gguf"]
