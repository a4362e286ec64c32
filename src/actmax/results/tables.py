"""The documentation of results: ``python -m actmax.results.tables > docs/results.md``.

Every field of every file, with its type and its meaning, from the JSON Schemas that the dataclasses make.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from actmax.results.schema import KINDS, schema_of

_HEAD = """\
# Fields of results

Made by `python -m actmax.results.tables > docs/results.md` from the fields themselves; a test holds it equal.

`result.json` holds one object, whose `schema` names its kind and version; `manifest.json` says where it comes
from. A number that is not finite is `null`. A field in *italics* may be missing in files of older versions.
In Python the fields are attributes of that name: `actmax.MaximizeResult.load("runs/demo").best.activation`.
`actmax.results.schema.schema_of("maximize")` is the JSON Schema that these tables are made from.
"""


def results_page() -> str:
    """The whole of ``docs/results.md``."""
    parts = [_HEAD]
    for name in sorted(KINDS):
        schema = schema_of(name)
        title = "manifest.json" if name == "manifest" else f"result.json of `actmax {name}`"
        parts.append(f"## {title if name != 'compare' else 'result.json of several methods'}\n")
        parts.append(_table(schema))
        for part, inner in sorted(schema.get("$defs", {}).items()):
            if name != "compare" or part in ("BestMethod", "Failed"):
                parts.append(f"### {part} in {name}\n\n{_first_line(inner)}\n")
                parts.append(_table(inner))
    return "\n".join(parts)


def _table(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    lines = ["| field | type | meaning |", "| --- | --- | --- |"]
    for name, field in schema["properties"].items():
        shown = f"`{name}`" if name in required else f"*`{name}`*"
        lines.append(f"| {shown} | {' or '.join(_types(field))} | {_cell(field.get('description', ''))} |")
    return "\n".join(lines) + "\n"


def _types(field: Mapping[str, Any]) -> Iterator[str]:
    """The type of a field in words, null last."""
    if "const" in field:
        yield f"`{field['const']}`"
    elif "enum" in field:
        yield ", ".join(f"`{value}`" for value in field["enum"])
    elif "$ref" in field:
        yield field["$ref"].rpartition("/")[2]
    elif "anyOf" in field:
        yield from dict.fromkeys(word for option in field["anyOf"] for word in _types(option))
    elif field.get("type") == "array":
        yield f"list of {' or '.join(_types(field.get('items', {})))}"
    else:
        found = field.get("type", "any")
        yield from [found] if isinstance(found, str) else found


def _first_line(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description", "")).strip().partition("\n\n")[0].replace("\n", " ")


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


if __name__ == "__main__":
    sys.stdout.write(results_page())
