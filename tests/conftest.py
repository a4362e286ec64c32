"""What every test shares: checked shapes, draws that do not depend on the load, and a working Ctrl-C."""

from __future__ import annotations

import os
import signal

from hypothesis import settings
from jaxtyping import install_import_hook

import tests.shapecheck

# Before anything imports actmax: every annotated function and dataclass checks its types and shapes.
install_import_hook("actmax", f"{tests.shapecheck.__name__}.check")

settings.register_profile("actmax", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("actmax")

# A shell starts its background jobs with SIGINT ignored, and so would be the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
