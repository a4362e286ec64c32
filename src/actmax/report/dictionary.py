"""The page of a dictionary; renderer of ``actmax.dictionary/1``."""

from __future__ import annotations

from actmax.report.page import pairs, render
from actmax.results.dictionary import DictionaryResult
from actmax.results.shown import columns_shown, shown_fields


def page(result: DictionaryResult) -> str:
    """The whole of ``report.html``."""
    return render(
        "dictionary.html.j2",
        result=result,
        numbers=_numbers(result),
        elsewhere=columns_shown(result.elsewhere, "page") if result.elsewhere else (),
        manifest=pairs({key: value for key, value in result.manifest.to_json().items() if key != "command"}),
    )


def summary(result: DictionaryResult) -> str:
    """A piece of HTML for a notebook's cell."""
    return render("dictionary_summary.html.j2", result=result, numbers=_numbers(result))


def _numbers(result: DictionaryResult) -> list[tuple[str, str, str]]:
    """Label, value and meaning of every field that is shown."""
    return [
        (shown.label, shown.text(getattr(result, name)), shown.meaning)
        for name, shown in shown_fields(DictionaryResult).items()
    ]
