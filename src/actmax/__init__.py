"""Find what a unit of a language model wants, and how far to believe it."""

from actmax.results.rendering import use_renderer
from actmax.version import __version__

__all__ = ["__version__"]

use_renderer("actmax.maximize/1", "actmax.report.maximize")
