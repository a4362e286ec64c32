"""Find what a unit of a language model wants, and how far to believe it."""

from actmax.version import __version__

__all__ = ["__version__"]
