"""Folders that version 0.1 saved still load; its commands made them, and long lists and tensors were cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from actmax.results.plain import to_plain
from actmax.results.saving import Saved
from actmax.results.schema import result_kind, schema_of

CORRELATIONS = {"correlates": "", "correlates_partial": "_partial"}
"""How 0.1 named the correlations of a unit, and what their columns end in now."""
FOLDERS = sorted((Path(__file__).parent / "data" / "0.1").iterdir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_of_0_1_loads_with_every_number(folder: Path, tmp_path: Path) -> None:
    name = folder.name.partition("-")[0]
    kind: type[Saved] = result_kind(name)
    result: Any = kind.load(folder)
    written = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema_of(name)).validate(written)
    assert lost(as_named_now(written), to_plain(result)) == []
    assert result.manifest.versions["actmax"].startswith("0.1")
    assert result.conclusion or name == "check", "0.1 drew none there"
    result.save(tmp_path)
    assert to_plain(kind.load(tmp_path)) == to_plain(result)


def as_named_now(written: dict[str, Any]) -> dict[str, Any]:
    """The ``sentence`` of a reproduction is its conclusion now; units of ``select`` name their columns."""
    if isinstance(written.get("reproduced"), dict):
        return {**written, "reproduced": as_named_now(written["reproduced"])}
    if written.get("schema") == "actmax.select/1":
        return {**written, "units": [unit_as_named_now(unit) for unit in written["units"]]}
    if "sentence" in written:
        return {**written, "conclusion": [written["sentence"]], "sentence": None}
    return written


def unit_as_named_now(unit: dict[str, Any]) -> dict[str, Any]:
    """What ``separable`` said, ``fit`` says; correlations are columns with names of their own."""
    assert unit["separable"] == (unit["fit"] == "separable")
    plain = {name: value for name, value in unit.items() if name not in ("separable", *CORRELATIONS)}
    columns = {
        f"r_{name}{ending}": value
        for key, ending in CORRELATIONS.items()
        for name, value in unit[key].items()
    }
    return plain | columns


def lost(old: Any, new: Any, place: str = "") -> list[str]:
    """Where ``new`` lacks or changes something that ``old`` holds; a manifest is said once now."""
    if isinstance(old, dict):
        return [
            found
            for key, value in old.items()
            if key != "manifest" and value is not None
            for found in (
                lost(value, new[key], f"{place}.{key}") if key in new else [f"{place}.{key} is missing"]
            )
        ]
    if isinstance(old, list):
        if len(old) != len(new):
            return [f"{place} has {len(new)} entries, not {len(old)}"]
        return [
            found
            for k, pair in enumerate(zip(old, new, strict=True))
            for found in lost(*pair, f"{place}[{k}]")
        ]
    return [] if old == new else [f"{place} is {new!r}, not {old!r}"]
