"""JSON Schemas of the files that actmax writes, for whoever reads them with another tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from actmax.errors import ActmaxError

_FOLDER = Path(__file__).parent / "schemas"


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of file, for example ``maximize`` or ``manifest``.

    Raises:
        ActmaxError: there is none of that name.
    """
    known = sorted(path.stem for path in _FOLDER.glob("*.json"))
    if name not in known:
        raise ActmaxError(f"there is no schema {name!r}; there are: {', '.join(known)}.")
    schema: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return schema
