"""What every page must be in a browser, and how its contrast is measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from tests.browser import Visit, visit
from tests.results.example import HOSTILE

Result = TypeVar("Result")


def written(
    folder: Path, made: Mapping[str, Callable[[], Result]], page: Callable[[Result], str], cell: str
) -> dict[str, Path]:
    """A file for the page of each result, and one for what a notebook shows."""
    places = {name: folder / f"{name}.html" for name in made}
    for name, place in places.items():
        place.write_text(page(made[name]()), encoding="utf-8")
    (folder / "cell.html").write_text("<!DOCTYPE html>" + cell, encoding="utf-8")
    return places | {"cell": folder / "cell.html"}


def fits_offline(browser: Any, place: Path, *, width: int, scheme: Literal["light", "dark"]) -> None:
    """It asks for nothing but itself, complains about nothing, and is no wider than the window."""
    with visit(browser, place, width=width, scheme=scheme) as seen:
        for details in seen.page.query_selector_all("details"):
            details.evaluate("element => element.open = true")
        assert seen.complaints == []
        assert [url for url in seen.requests if not url.startswith(("file://", "data:"))] == []
        assert len([url for url in seen.requests if url.startswith("file://")]) == 1
        assert seen.overflow() == 0


def shows_hostile_tokens(seen: Visit, *also: str) -> None:
    """As text: no element comes of them, and what cannot be seen has its name in brackets."""
    assert seen.page.query_selector_all("script, main img, iframe, object, [onmouseover], [onerror]") == []
    text = seen.page.inner_text("body")
    for part in (HOSTILE[0], "⟨U+001B⟩[31mred", "⟨U+202E⟩", "{{ 7 * 7 }}", *also):
        assert part in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


def can_be_read(seen: Visit) -> None:
    """Contrast (WCAG) of all text against the background is at least 4.5; text in figures too."""
    worst = seen.page.evaluate(_CONTRAST)
    assert worst["n"] > 100
    assert worst["ratio"] >= 4.5, worst


_CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const back = getComputedStyle(document.documentElement).backgroundColor;
  const luminance = (front) => {
    canvas.fillStyle = back; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = front; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = luminance(back);
  let worst = {ratio: 99, n: 0};
  for (const element of document.querySelectorAll('main p, main td, main th, main dd, main dt, main li, '
      + 'figcaption, h1, h2, h3, svg text')) {
    const style = getComputedStyle(element);
    const front = luminance(element.tagName === 'text' ? style.fill : style.color);
    const ratio = (Math.max(front, ground) + 0.05) / (Math.min(front, ground) + 0.05);
    if (ratio < worst.ratio) worst = {...worst, ratio, text: element.textContent.slice(0, 40)};
    worst.n += 1;
  }
  return worst;
}"""
