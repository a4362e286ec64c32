"""How Sphinx builds these pages: `make docs`."""

from __future__ import annotations

from actmax import __version__

project = "actmax"
author = "The actmax contributors"
copyright = "2026, the actmax contributors. Code: Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"actmax {__version__}"
html_static_path: list[str] = []

exclude_patterns = ["_build", "_generated"]
nitpicky = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True


def write_descriptions(app: object) -> None:
    """The pages' descriptions of the checks, from the docstrings of their files, for checks.md."""
    from pathlib import Path

    from actmax.checks.registry import SHARED, assumptions, description_of_check, shared_description

    folder = Path(__file__).parent / "_generated"
    folder.mkdir(exist_ok=True)
    checks = [description_of_check(check) for check in assumptions()]
    text = "\n\n".join(f"## {one.title}\n\n{one.text}" for one in checks)
    (folder / "assumptions.md").write_text(text + "\n", encoding="utf-8")
    for name in SHARED:
        (folder / f"{name}.md").write_text(shared_description(name).text + "\n", encoding="utf-8")


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", write_descriptions)  # type: ignore[attr-defined]
