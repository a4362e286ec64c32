from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from actmax.cache import bytes_under, cache_dir, locked, sha256_of
from actmax.errors import ActmaxError
from actmax.files import placing, replacing


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "mine"))
    assert cache_dir() == tmp_path / "mine"
    monkeypatch.delenv("ACTMAX_CACHE")
    assert cache_dir() == tmp_path / "xdg" / "actmax"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert cache_dir().is_absolute()


@pytest.mark.skipif(sys.platform != "linux", reason="the default place differs by platform")
def test_the_cache_is_below_the_home_directory_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ACTMAX_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "actmax"


def test_placing_moves_a_folder_into_place_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "thing"
    for content in ("first", "second"):
        with placing(target) as workshop:
            (workshop / "thing").mkdir()
            (workshop / "thing" / "a.txt").write_text(content)
            (workshop / "scrap.txt").write_text("thrown away")
        assert (target / "a.txt").read_text() == content
        assert [path.name for path in target.parent.iterdir()] == ["thing"]


def _write_half(path: Path, error: BaseException) -> None:
    path.write_text("half of the ne")
    raise error


def test_placing_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    target = tmp_path / "thing"
    killed = tmp_path / ".thing-killed"
    killed.mkdir()
    (killed / "half").write_text("half")
    with pytest.raises(KeyboardInterrupt), placing(target) as workshop:
        _write_half(workshop / "thing", KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


def test_replacing_keeps_the_old_file_when_it_fails(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(target) as temporary:
        _write_half(temporary, ZeroDivisionError())
    assert target.read_text() == "old"
    with replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_hash_and_size(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "b.bin"
    path.write_bytes(content)
    (tmp_path / "c").write_bytes(b"xyz")
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()
    assert bytes_under(tmp_path) == 3_000_003
    assert bytes_under(path) == 3_000_000


def test_a_cache_that_cannot_be_made_gets_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocker = tmp_path / "a-file"
    blocker.write_text("in the way")
    monkeypatch.setenv("ACTMAX_CACHE", str(blocker / "cache"))
    with (
        pytest.raises(
            ActmaxError, match=r"cannot be written to, as it is a file or lies below one; set ACTMAX_CACHE"
        ),
        locked(tmp_path / "x"),
    ):
        raise AssertionError("never reached")
