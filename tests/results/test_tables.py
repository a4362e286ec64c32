"""The documented fields are those of the results."""

from __future__ import annotations

from pathlib import Path

from actmax.results.tables import results_page

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


def test_the_documentation_of_fields_is_what_the_fields_say() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == results_page(), "make it anew: python -m actmax.results.tables > docs/results.md"
    assert "| `cross_entropy` | number or null | nats per token of the text under the same model |" in written
