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

exclude_patterns = ["_build"]
nitpicky = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
