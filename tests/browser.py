"""A real browser for pages: what it asked for, what it complained about, how wide the page is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Any]:
    """A running Chromium (playwright's ``Browser``).

    Where none is found the test is skipped, or fails with ``ACTMAX_REQUIRE_BROWSER=1``.
    """
    found = next((place for name in NAMES if (place := shutil.which(name))), None)
    if found is None:
        reason = f"no browser was found (looked for {', '.join(NAMES)})"
        if os.environ.get("ACTMAX_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{reason}, and ACTMAX_REQUIRE_BROWSER=1 requires one")
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """What happened while a page was open."""

    page: Any
    """Playwright's ``Page``."""
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Console messages, uncaught errors and dialogs."""

    def overflow(self) -> int:
        """CSS pixels by which the page is wider than the viewport."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return max(wide, 0)


@contextmanager
def visit(
    browser: Any, place: Path | str, *, width: int = 1280, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Visit]:
    """Open a file or an address in a fresh context and keep a record of what happens."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    try:
        page = context.new_page()
        seen = Visit(page)
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("console", lambda message: seen.complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: _refuse(dialog, seen))
        page.goto(place.resolve().as_uri() if isinstance(place, Path) else place, wait_until="load")
        page.wait_for_timeout(50)
        yield seen
    finally:
        context.close()


def _refuse(dialog: Any, seen: Visit) -> None:
    seen.complaints.append(f"dialog: {dialog.message}")
    dialog.dismiss()
