"""JSON Schemas of the files that actmax writes, made from the dataclasses of its results."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from actmax.errors import ActmaxError

KINDS = {
    "check": "actmax.results.check:CheckResult",
    "compare": "actmax.results.compare:CompareResult",
    "dictionary": "actmax.results.dictionary:DictionaryResult",
    "investigate": "actmax.results.investigate:InvestigateResult",
    "manifest": "actmax.results.manifest:Manifest",
    "maximize": "actmax.results.maximize:MaximizeResult",
    "observe": "actmax.results.observe:ObserveResult",
    "reproduce": "actmax.results.reproduce:ReproduceResult",
    "select": "actmax.results.select:SelectResult",
}
"""Kinds of files, each with its module and dataclass."""


def result_kind(name: str) -> Any:
    """The dataclass of a kind of file, for example of ``maximize`` or ``manifest``.

    Raises:
        ActmaxError: there is no such kind.
    """
    if name not in KINDS:
        raise ActmaxError(f"Unknown kind of result {name!r}; choose one of: {', '.join(sorted(KINDS))}.")
    module, _, dataclass = KINDS[name].partition(":")
    return getattr(import_module(module), dataclass)


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of file, for example of ``maximize`` or ``manifest``.

    Raises:
        ActmaxError: there is no such kind.
    """
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

    class AsWritten(GenerateJsonSchema):
        """A number that is not finite is null, and a file's dataclass says its kind and version."""

        def float_schema(self, schema: Any) -> dict[str, Any]:
            return {"type": ["number", "null"]}

        def dataclass_schema(self, schema: Any) -> dict[str, Any]:
            made = super().dataclass_schema(schema)
            kind = schema["cls"]
            if hasattr(kind, "schema"):
                made["properties"] = {"schema": {"const": kind.schema}, **made["properties"]}
            return made

    made = TypeAdapter(result_kind(name)).json_schema(schema_generator=AsWritten)
    # Within another result 0.1 left its kind out.
    return {"$schema": AsWritten.schema_dialect, **made, "required": ["schema", *made["required"]]}
