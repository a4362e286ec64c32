"""``python -m actmax``."""

from actmax.cli.main import entry_point

entry_point()
