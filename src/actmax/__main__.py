"""``python -m actmax``."""

from actmax.cli.main import run

run()
