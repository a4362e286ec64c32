"""What the tests of ``actmax maximize --method`` share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from actmax.cli.main import main

UNIT = "hidden_states.2:9"
FILES = {"result.json", "manifest.json", "tensors.safetensors", "report.html"}
COMPARED = FILES - {"tensors.safetensors"}
TWO = ("--method", "random", "--method", "gcg")


def run(command: list[str], *options: str, budget: int = 60) -> dict[str, Any]:
    """Into ``out``; what ``result.json`` holds."""
    assert main([*command, "--budget", str(budget), "--quiet", "--out", "out", *options]) == 0
    data: dict[str, Any] = json.loads(Path("out/result.json").read_text(encoding="utf-8"))
    return data


def timeless(data: Any) -> Any:
    """Without the numbers that a clock gave."""
    if isinstance(data, dict):
        return {key: timeless(value) for key, value in data.items() if key != "seconds"}
    return [timeless(item) for item in data] if isinstance(data, list) else data


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
