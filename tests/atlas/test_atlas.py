"""Atlases: what they hold, that nothing is lost, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from tests.atlas.tiny_atlas import SETTINGS, content, tiny_texts, tiny_windows
from tests.tiny import tiny_model

from actmax.atlas.atlas import Atlas
from actmax.atlas.build import KINDS, AtlasSettings, build_atlas, matching_sites
from actmax.corpus.tokens import tokens_of_texts
from actmax.corpus.windows import Windows, windows_of
from actmax.errors import ActmaxError, Interrupted
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sinks import Sinks
from actmax.models.sites import Site, list_sites, resolve_site
from actmax.observation.recorder import recorder
from actmax.progress import Counted

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model()


@pytest.fixture(scope="module")
def windows(model: Model) -> Windows:
    return tiny_windows(model)


@pytest.fixture(scope="module")
def folder(model: Model, windows: Windows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_atlas(model, windows, tmp_path_factory.mktemp("atlas") / "a", SETTINGS)


def values_of(model: Model, windows: Windows, site: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """All kept values of a site by hand, with corpus position and document; sinks are looked for anew."""
    batch = windows.batch(0, windows.n_windows)
    found = resolve_site(model, site)
    depth = Site(f"blocks.{found.layer}.hook_resid_post", found.layer)
    with torch.no_grad():
        acts = [read(model, [found, depth], ids=batch.ids[k : k + 8]) for k in range(0, len(batch.ids), 8)]
    values = torch.cat([a[found] for a in acts])
    norm = torch.cat([a[depth] for a in acts]).norm(dim=-1)
    keep = batch.valid & ~(norm > 5 * norm[batch.valid].median())
    document = batch.document[:, None].expand_as(batch.where)
    return values[keep], batch.where[keep], document[keep]


@pytest.mark.parametrize("kind", KINDS)
def test_equals_a_look_at_every_position(model: Model, windows: Windows, folder: Path, kind: str) -> None:
    site = f"blocks.1.{kind}"
    values, where, document = values_of(model, windows, site)
    for index in range(0, values.shape[1], 7):
        unit = Atlas.open(folder).unit(f"{site}:{index}")
        mine = values[:, index].numpy()
        assert unit.count == len(mine)
        assert unit.mean == pytest.approx(mine.mean(dtype=np.float64), rel=1e-5, abs=1e-6)
        assert unit.std == pytest.approx(mine.std(dtype=np.float64), rel=1e-5)
        assert (unit.min, unit.max) == (mine.min(), mine.max())
        assert unit.density == pytest.approx((mine > 0).mean(), abs=1e-12)
        for sign, examples in ((1, unit.top), (-1, unit.bottom)):
            ranked = sorted(zip((-sign * mine).tolist(), where.tolist(), document.tolist(), strict=True))
            seen: set[int] = set()
            texts: set[tuple[str, str, str]] = set()
            expected = []
            for value, place, number in ranked:
                text = windows.context(place, 3, 3)
                if number in seen:
                    continue
                seen.add(number)
                if text not in texts:
                    texts.add(text)
                    expected.append((-sign * value, place))
            assert [(e.activation, e.where) for e in examples] == expected[: SETTINGS.top]
            for example in examples:
                before, own, after = windows.context(example.where, 3, 3)
                assert (example.text_before, example.text_after) == (before, after)
                assert tiny_texts()[example.document][example.offset :].lstrip().startswith(own.lstrip())


def test_a_planted_neuron_has_its_token(tmp_path: Path) -> None:
    """A residual dimension that only one token's embedding writes, read before anything else adds to it."""
    model = tiny_model()
    plain = [text.replace("waiting", "") for text in tiny_texts()]
    texts = [text + " waiting" * (k % 3 == 0) for k, text in enumerate(plain)]
    windows = tiny_windows(model, texts)
    planted = model.tokenizer.encode(" waiting", add_special_tokens=False)[-1]
    weight: Any = model.net.get_input_embeddings().weight
    with torch.no_grad():
        weight[:, 9] = 0.0
        weight[planted, 9] = 1.0
    settings = AtlasSettings(sites=("hook_embed",), top=50, context=0)
    unit = Atlas.open(build_atlas(model, windows, tmp_path / "a", replace(settings, context=40))).unit(
        "hook_embed:9"
    )
    batch = windows.batch(0, windows.n_windows)
    there = batch.valid & (batch.ids == planted)
    firing = [example for example in unit.top if example.activation > 0]
    documents = {int(d) for d in batch.document[there.any(1)]}
    assert len(documents) >= 5
    assert {example.where for example in firing} <= set(batch.where[there].tolist())
    assert {example.activation for example in firing} == {1.0}
    # One a document, less those whose text repeats another's.
    assert len(documents) - 1 <= len(firing) <= len(documents)
    assert unit.density * unit.count == pytest.approx(int(there.sum()))


def test_others_read_the_tables(folder: Path) -> None:
    units = pd.read_parquet(folder / "units.parquet").set_index("unit")
    examples = pl.read_parquet(folder / "examples.parquet")
    name = "blocks.2.attn.hook_k:3"
    best = examples.filter((pl.col("unit") == name) & (pl.col("end") == "top") & (pl.col("rank") == 0))
    assert best["activation"][0] == pytest.approx(units.loc[name, "max"])
    query = duckdb.sql(
        f"select e.activation, c.text_before, c.token from '{folder}/examples.parquet' e"
        f" join '{folder}/contexts.parquet' c using (\"where\") where e.unit = '{name}' order by e.rank"
    )
    joined = query.fetchall() if query is not None else []
    unit = Atlas.open(folder).unit(name)
    assert len(joined) == len(unit.top) + len(unit.bottom)
    assert {row[1] for row in joined} == {e.text_before for e in (*unit.top, *unit.bottom)}
    assert Atlas.open(folder).maximum(name) == unit.max
    assert len(units) == json.loads((folder / "manifest.json").read_text())["units"]


def test_find(folder: Path) -> None:
    atlas = Atlas.open(folder)
    for found in atlas.find("ship", limit=5):
        tokens = [example.token for example in atlas.unit(found.unit).top]
        assert found.matches == sum("ship" in token for token in tokens) > 0
        assert found.of == len(tokens)
    assert atlas.find("no such token") == []
    with pytest.raises(ActmaxError, match="not a regular expression"):
        atlas.find("(")


def test_names(folder: Path, model: Model) -> None:
    atlas = Atlas.open(folder)
    assert atlas.canonical("blocks.1.attn.hook_q.2:7") == "blocks.1.attn.hook_q:23"
    assert atlas.canonical("hidden_states.1:3") == "blocks.0.hook_resid_post:3"
    for bad in (
        "blocks.9.hook_resid_post:1",
        "nothing",
        "blocks.0.hook_resid_post:32",
        "blocks.1.attn.hook_q.2:8",
    ):
        with pytest.raises(ActmaxError):
            atlas.unit(bad)
    with pytest.raises(ActmaxError, match="no atlas"):
        Atlas.open(folder / "nothing")


def test_sites_by_pattern(model: Model) -> None:
    assert len(matching_sites(model, ())) == len(KINDS) * model.n_blocks
    assert [site.name for site in matching_sites(model, ["blocks.1.mlp.*", "hook_embed"])] == [
        name for name in list_sites(model) if name.startswith("blocks.1.mlp.") or name == "hook_embed"
    ]
    with pytest.raises(ActmaxError, match="matches"):
        matching_sites(model, ["blocks.7.*"])


def test_sinks_are_left_out_and_counted(model: Model, windows: Windows) -> None:
    depth, early = (
        resolve_site(model, "blocks.1.hook_resid_post"),
        resolve_site(model, "blocks.1.mlp.hook_post"),
    )
    batch = windows.batch(0, 8)
    with torch.no_grad():
        acts = read(model, [depth, early], ids=batch.ids)
    norm = acts[depth].norm(dim=-1)
    middle = float(norm[batch.valid].quantile(0.7))
    recording = recorder(model, [early], {depth: Sinks(depth, middle, 1.0)}, top=3)
    recording.record(batch)
    sinks = batch.valid & (norm > middle)
    assert recording.sinks == {depth: int(sinks.sum())}
    kept = acts[early][batch.valid & ~sinks]
    assert recording.summaries[early].moments.count == len(kept)
    torch.testing.assert_close(recording.summaries[early].moments.max, kept.amax(0))


class Tell:
    """A progress that does something at its n-th call while recording."""

    def __init__(self, n: int, do: object) -> None:
        self.left, self.do = n, do

    def __call__(
        self, stage: str, done: int, total: int | None, *, unit: Counted = "", note: str = ""
    ) -> None:
        if stage == "recording":
            self.left -= 1
            if not self.left:
                self.do()  # type: ignore[operator]


def test_ctrl_c_saves_and_resume_ends_alike(
    model: Model, windows: Windows, folder: Path, tmp_path: Path
) -> None:

    with pytest.raises(Interrupted, match="is saved"):
        build_atlas(
            model,
            windows,
            tmp_path / "a",
            SETTINGS,
            progress=Tell(3, lambda: signal.raise_signal(signal.SIGINT)),
        )
    with pytest.raises(ActmaxError, match="not finished"):
        Atlas.open(tmp_path / "a")
    build_atlas(model, windows, tmp_path / "a", SETTINGS, resume=True)
    assert content(tmp_path / "a") == content(folder)


def test_a_failure_in_a_thread_leaves_the_last_shard(
    model: Model, windows: Windows, folder: Path, tmp_path: Path
) -> None:
    class BoomError(Exception):
        pass

    def boom() -> None:
        raise BoomError

    caught: list[BaseException] = []

    def work() -> None:
        try:
            build_atlas(model, windows, tmp_path / "a", SETTINGS, save_every=0, progress=Tell(5, boom))
        except BoomError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert caught
    build_atlas(model, windows, tmp_path / "a", SETTINGS, resume=True)
    assert content(tmp_path / "a") == content(folder)


def test_killed_at_20_random_moments(tmp_path: Path) -> None:
    """Real processes, real SIGKILL; the program compares every file with an uninterrupted build."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.atlas.tiny_atlas", str(tmp_path / "k"), "20", "1"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    killed, finished = map(int, done.stdout.split())
    assert killed == 20
    assert finished >= 1


def test_what_resume_refuses(model: Model, windows: Windows, folder: Path) -> None:
    before = content(folder)
    with pytest.raises(ActmaxError, match="already holds an atlas"):
        build_atlas(model, windows, folder, SETTINGS)
    build_atlas(model, windows, folder, SETTINGS, resume=True)
    changed = tiny_windows(model, [*tiny_texts(), "one more"])
    for other, text, settings, named in (
        (tiny_model("gpt2"), windows, SETTINGS, "the model"),
        (model, changed, SETTINGS, "text"),
        (model, replace(windows, chosen=windows.chosen[:5]), SETTINGS, "choice of windows"),
        (model, windows, replace(SETTINGS, top=5), "--top"),
        (model, windows, replace(SETTINGS, context=4), "--context"),
        (model, windows, replace(SETTINGS, sites=("hook_embed",)), "--sites"),
        (model, windows, replace(SETTINGS, include_sinks=True), "--include-sinks"),
    ):
        with pytest.raises(ActmaxError, match=named):
            build_atlas(other, text, folder, settings, resume=True)
    assert content(folder) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(model: Model, windows: Windows, folder: Path, small_disk: Path) -> None:
    settings = replace(SETTINGS, sites=("blocks.*.hook_resid_post",), top=1)
    with pytest.raises(ActmaxError, match=r"No space is left .* try again"):
        build_atlas(model, windows, small_disk / "a", settings, save_every=0)
    assert not list((small_disk / "a").glob(".*"))
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    build_atlas(model, windows, small_disk / "a", settings, resume=True)
    whole = build_atlas(model, windows, small_disk / "b", settings)
    assert content(small_disk / "a") == content(whole)


def test_an_atlas_of_nothing_is_refused(model: Model, tmp_path: Path) -> None:
    """One token per document and no BOS: every position is the first of its window."""
    nothing = windows_of(tokens_of_texts(["a", "b", "c"], model.tokenizer), length=16, bos=None)
    with pytest.raises(ActmaxError, match="No position of 'texts' is left to observe"):
        build_atlas(model, nothing, tmp_path / "a", SETTINGS)
    assert list((tmp_path / "a").iterdir()) == []
    build_atlas(model, tiny_windows(model), tmp_path / "a", SETTINGS)
