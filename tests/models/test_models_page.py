"""The rows of docs/models.md, against what is read."""

from __future__ import annotations

import re
from pathlib import Path

from gguf import GGMLQuantizationType
from tests.models.test_gguf_architectures import readable

from actmax.models.config_keys import ROPE_KEYS
from actmax.models.families import FAMILIES
from actmax.models.gguf_config import ARCHITECTURES
from actmax.models.gguf_tokenizer import CUTS, KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_architecture_is_listed_with_what_gguf_calls_it() -> None:
    table = rows("Architectures × positions")
    assert {name for row in table for name in row[0].split(", ")} == set(FAMILIES)
    assert {name for row in table for name in re.findall(r"`(\w+)`", row[2])} == set(ARCHITECTURES)
    for name in ROPE_KEYS:
        assert re.search(rf"\b{name}\b", section("Architectures × positions"))


def test_every_quantisation_is_listed_as_read_or_refused() -> None:
    read, refused = ({*re.findall(r"[A-Z0-9_]{2,}", cell)} for cell in rows("Quantisations of GGUF")[0])
    assert read == {kind.name for kind in GGMLQuantizationType if readable(kind)}
    assert refused == {kind.name for kind in GGMLQuantizationType if not readable(kind)}


def test_every_kind_of_tokenizer_and_every_cut_is_listed() -> None:
    text = section("Tokenizers")
    assert {name for row in rows("Tokenizers") for name in re.findall(r"^`(\w+)`", row[2])} == set(KINDS)
    cuts = text.split("that are known:")[1].split("\n\n")[0]
    assert set(re.findall(r"`([\w-]+)`", cuts)) == set(CUTS)
