"""Tests, laid out like ``src/actmax``; being a package, they can share helpers: ``from tests.X import y``."""
