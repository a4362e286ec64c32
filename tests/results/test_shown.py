"""A field is described once, and everything follows from the description."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated, Any

from actmax.results.frames import columns_of
from actmax.results.plain import from_plain, to_plain
from actmax.results.shown import Beside, Shown, columns_shown, shown_fields


@dataclass(frozen=True)
class Row:
    name: Annotated[str, Shown("name", "what it is called")]
    share: Annotated[float, Shown("share", "of all", "percent", ("page", "terminal"))]
    nats: Annotated[float, Shown("cross-entropy", "nats per token", ".2f", ("page", "head"))]
    cosine: Annotated[tuple[float, ...], Shown("cosine", "to each token", "cosine", ("terminal",))]
    fits: Annotated[bool, Shown("fits", "whether it fits")]
    position: Annotated[int | None, Shown("position", "that was read", "count")] = None
    file: Annotated[Any, Beside()] = None
    hidden: int = 0


ROWS = (
    Row("a b", 0.5, 1.234, (0.1, 0.25), fits=True, file=object()),
    Row("\x1b", math.nan, math.nan, (), fits=False),
)


def test_a_table_follows_from_the_fields() -> None:
    page = columns_shown(ROWS, "page")
    assert [column.name for column in page] == ["name", "share", "nats", "fits"], "no row has a position"
    assert [column.texts for column in page] == [
        ("a·b", "⟨U+001B⟩"),
        ("50 %", "–"),
        ("1.23", "–"),
        ("yes", "no"),
    ]
    assert [column.numeric for column in page] == [False, True, True, False]
    assert [column.texts for column in columns_shown(ROWS, "terminal")] == [
        ("50 %", "–"),
        ("0.10 to 0.25", "–"),
    ]
    assert [column.meaning for column in columns_shown(ROWS, "head")] == ["nats per token"]
    assert columns_shown(ROWS[1:], "head") == (), "a column without values is left out"
    assert columns_shown((), "page") == ()
    assert columns_shown(ROWS, "page", without=("name",))[0].name == "share"


def test_a_frame_and_json_follow_from_the_fields() -> None:
    assert list(columns_of(ROWS, Row)) == [
        *("name", "share", "nats", "cosine", "fits", "position", "hidden"),
    ]
    assert columns_of(ROWS, Row)["cosine"] == [[0.1, 0.25], []]
    plain = to_plain(ROWS[1])
    assert "file" not in plain
    assert plain["share"] is None
    assert math.isnan(from_plain(Row, plain).share)
    assert set(shown_fields(Row)) == {"name", "share", "nats", "cosine", "fits", "position"}


def test_pydantic_waits_until_a_file_is_read() -> None:
    """``actmax --help`` and ``import actmax`` stay fast."""
    code = "import sys, actmax, actmax.results.maximize; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
