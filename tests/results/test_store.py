"""Output directories: whole or not at all, and a sentence where it cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from tests.assets.small_disk import small_disk

from actmax.errors import ActmaxError
from actmax.results.store import (
    prepare_out,
    read_bytes,
    read_json,
    read_tensors,
    tensor_bytes,
    write_bytes,
    write_files,
    write_json,
    write_text,
)


def everything_under(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    assert prepare_out(tmp_path / "runs" / "demo") == tmp_path / "runs" / "demo"
    assert everything_under(tmp_path) == []
    assert prepare_out(str(tmp_path)) == tmp_path


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ActmaxError, match="is a file, not a folder; give --out a folder"):
            prepare_out(out)
        with pytest.raises(ActmaxError, match="is a file or lies below one; give --out another folder"):
            write_text(out / "x.txt", "text")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ActmaxError, match="is a file, not a folder"):
        prepare_out(tmp_path / "link")


def test_too_little_space_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ActmaxError, match=r"MB are free at .* are needed; free some, or give --out"):
        prepare_out(tmp_path / "out", needed=10**18)


def test_unwritable(tmp_path: Path) -> None:
    """Root may write into any folder, but not into one that the kernel keeps."""
    if os.geteuid() == 0:
        locked = Path("/proc/self")
        if not locked.is_dir():
            pytest.skip("root may write anywhere here, and there is no /proc")
    else:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
    with pytest.raises(ActmaxError, match=r"cannot be written to.*give --out another folder"):
        prepare_out(locked / "out")
    with pytest.raises(ActmaxError, match=r"cannot be written to.*give --out another folder"):
        write_text(locked / "out" / "x.txt", "text")


def test_a_disk_that_fills_up_leaves_what_was_there(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        with pytest.raises(ActmaxError, match=r"Only .* MB are free"):
            prepare_out(disk / "out")
        prepare_out(disk / "out", needed=1_000_000)
        write_files(disk / "out", {"result.json": b"old", "tensors": b"old"})
        before = everything_under(disk)
        with pytest.raises(
            ActmaxError,
            match=r"No space is left at .*; free some, or give --out another folder; nothing was written",
        ):
            write_files(disk / "out", {"result.json": b"new", "tensors": bytes(4_000_000)})
        with pytest.raises(ActmaxError, match="No space is left"):
            write_bytes(disk / "new" / "folder" / "big", bytes(4_000_000))
        assert everything_under(disk) == before
        assert read_bytes(disk / "out" / "result.json") == b"old"


def test_an_interruption_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "out" / "a", "old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    for folder in ("out", "new"):
        with pytest.raises(KeyboardInterrupt):
            write_files(tmp_path / folder, {"a": b"new", "b": b"new"})
    assert everything_under(tmp_path) == ["out", "out/a"]
    assert (tmp_path / "out" / "a").read_text() == "old"


def test_the_first_file_is_placed_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[str] = []
    replace = Path.replace

    def watch(self: Path, target: Path) -> Path:
        placed.append(Path(target).name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watch)
    write_files(tmp_path, {"result.json": b"", "manifest.json": b"", "tensors": b""})
    assert placed == ["tensors", "manifest.json", "result.json"]


def test_json(tmp_path: Path) -> None:
    place = tmp_path / "x.json"
    write_json(place, {"schema": "actmax.x/1", "a": [float("nan"), float("inf"), 0.1]})
    assert read_json(place, "actmax.x/1") == {"schema": "actmax.x/1", "a": [None, None, 0.1]}
    with pytest.raises(ActmaxError, match=r"has version '1' of actmax.x and this actmax reads '2'"):
        read_json(place, "actmax.x/2")
    with pytest.raises(ActmaxError, match=r"holds 'actmax.x/1' and not 'actmax.observe/1'"):
        read_json(place, "actmax.observe/1")
    with pytest.raises(ActmaxError, match=r"There is no y.json in .*; give a folder that --out has written"):
        read_json(tmp_path / "y.json")
    for text, sentence in [
        ('{"a": 1', "is not JSON"),
        ("[1]", "holds no JSON object"),
        ("[" * 10**5, "is not JSON"),
    ]:
        place.write_text(text)
        with pytest.raises(ActmaxError, match=sentence):
            read_json(place)
    place.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ActmaxError, match="is not JSON"):
        read_json(place)
    with pytest.raises(ActmaxError, match="cannot be read"):
        read_json(tmp_path)


def test_tensors(tmp_path: Path) -> None:
    place = tmp_path / "t.safetensors"
    base = torch.arange(12.0).reshape(3, 4)
    held = {"view": base.T, "same": base, "half": base.half(), "grad": base.clone().requires_grad_()}
    place.write_bytes(tensor_bytes(held))
    read = read_tensors(place)
    assert torch.equal(read["view"], base.T)
    assert read["half"].dtype == torch.float16
    assert not read["grad"].requires_grad
    place.write_bytes(tensor_bytes({}))
    assert read_tensors(place) == {}
    for content in (b"", b"\x80\x04K\x01.", place.read_bytes()[:5], bytes(100)):
        place.write_bytes(content)
        with pytest.raises(ActmaxError, match="is not a whole safetensors file"):
            read_tensors(place)
