from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.cli.command import mistake
from tests.models.tiny_gguf import BLOCKS, HEADS, HIDDEN, KV_HEADS, TOKENS, WIDTH, tiny_llama, write_gguf

from actmax.api.load import load
from actmax.cli.main import main
from actmax.selectivity.sites import match_sites


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    return str(write_gguf(tmp_path / "tiny.gguf", tiny_llama()))


def test_every_site_has_the_width_that_the_config_gives_it(
    model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["sites", "--model", model, "--json", "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    listing = json.loads(captured.out)
    assert captured.err == ""
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == listing
    assert (listing["model"], listing["n_blocks"], listing["d_model"]) == ("tiny.gguf", BLOCKS, WIDTH)
    sites = {site["name"]: site for site in listing["sites"]}
    for block in range(BLOCKS):
        assert sites[f"blocks.{block}.hook_resid_post"]["width"] == WIDTH
        assert sites[f"blocks.{block}.mlp.hook_post"]["width"] == HIDDEN
        query, key = sites[f"blocks.{block}.attn.hook_q"], sites[f"blocks.{block}.attn.hook_k"]
        assert (query["heads"], query["width"]) == (HEADS, WIDTH)
        assert (key["heads"], key["width"]) == (KV_HEADS, KV_HEADS * key["d_head"])
    assert sites["unembed.hook_logits"]["width"] == len(TOKENS)
    assert all(site["index"] != "index" for site in sites.values()), "every kind says what an index counts"


def test_the_table_has_one_row_for_each_kind(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sites", "--model", model, "--device", "cpu"]) == 0
    table = capsys.readouterr().out
    assert table.count("hook_resid_post") == 1
    assert re.search(r"^blocks\.\*\.mlp\.hook_post +0 to 1 ", table, re.MULTILINE)
    assert re.search(r"^hidden_states\.\* +0 to 2 ", table, re.MULTILINE)
    assert f"{KV_HEADS} heads × 8" in table


def test_what_the_table_names_can_be_chosen_with_sites(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sites", "--model", model, "--device", "cpu"]) == 0
    names = re.findall(r"^((?:blocks|hook|hidden|ln|unembed)\S+) ", capsys.readouterr().out, re.MULTILINE)
    assert len(names) > 10
    opened = load(model, device="cpu")
    for name in names:
        assert match_sites(opened, [name])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "/no/such/place"], "There is no model at '/no/such/place'; check the path."),
        (["--model", "[bold]x y[/bold]"], "There is no model"),
        (["--device", "gpu"], "The device 'gpu' is not known"),
        (["--dtype", "float31"], "did you mean float32?"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert said in mistake(capsys, "sites", *arguments)
