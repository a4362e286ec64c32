"""The pictures of README and docs: screenshots of reports that actmax wrote, taken in a real browser.

    make demo && .venv/bin/python docs/make_pictures.py [NAME...]

A picture is taken where its report is there (``runs/...``), of the names that are given only; the others are
left as they are.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = {
    "demo": ("runs/demo", 1100, 1180),
    "observe": ("runs/observe", 1100, 1180),
    "compare": ("runs/compare", 1100, 1560),
    "check": ("runs/check", 1100, 1180),
    "investigate": ("runs/investigate", 1100, 1180),
    "select": ("runs/select", 1100, 1385),
}
"""Name of the picture: folder of the report, width and height of the part that is shown."""


def main() -> None:
    """Take every picture whose report exists."""
    here = Path(__file__).parent
    browser_path = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if browser_path is None:
        raise SystemExit("No Chromium was found; install one (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for name, (folder, width, height) in PICTURES.items():
            report = here.parent / folder / "report.html"
            if not report.exists() or (sys.argv[1:] and name not in sys.argv[1:]):
                continue
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
            page.goto(report.as_uri())
            page.screenshot(path=here / "pictures" / f"{name}.png")
            print(f"docs/pictures/{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
