"""What every test shares: shapes are checked, and draws do not depend on how busy the machine is."""

from __future__ import annotations

import os

from hypothesis import settings
from jaxtyping import install_import_hook

import tests.shapecheck

# Before anything imports actmax: every annotated function and dataclass checks its types and shapes.
install_import_hook("actmax", f"{tests.shapecheck.__name__}.check")

settings.register_profile("actmax", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("actmax")
