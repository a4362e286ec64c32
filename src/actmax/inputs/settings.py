"""The values that settings of inputs may take; imports nothing heavy."""

from __future__ import annotations

from typing import Literal, TypeAlias

BosPolicy: TypeAlias = Literal["auto", "always", "never"]
"""``auto``: add BOS where the tokenizer defines one; ``always``: refuse a tokenizer without; ``never``."""
