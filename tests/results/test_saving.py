"""Every kind of result is saved, loaded and shown in the one way."""

from __future__ import annotations

from dataclasses import fields

import pytest

from actmax.results.dictionary import DictionaryResult
from actmax.results.frames import Framed
from actmax.results.rendering import Renderer, renderer_of
from actmax.results.saving import Saved
from actmax.results.schema import KINDS as FILES
from actmax.results.schema import result_kind, schema_of

KINDS: tuple[type[Saved], ...] = tuple(result_kind(name) for name in FILES if name != "manifest")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_schema_and_its_manifest(kind: type[Saved]) -> None:
    name = kind.schema.removeprefix("actmax.").partition("/")[0]
    assert kind.__name__ == f"{name.title()}Result"
    assert schema_of(name)["properties"]["schema"] == {"const": kind.schema}
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # all are dataclasses
    assert "manifest" in names
    assert ("tensors" in names) == (kind.tensor_file is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_page(kind: type[Saved]) -> None:
    assert isinstance(renderer_of(kind.schema), Renderer)


def test_results_with_tables() -> None:
    assert {kind for kind in KINDS if not issubclass(kind, Framed)} == {DictionaryResult}
