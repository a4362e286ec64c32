"""One file a verb; found by :mod:`actmax.cli.registry`."""
