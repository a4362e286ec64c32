"""The words that settings of statistics are made of; imports nothing heavy."""

from __future__ import annotations

from typing import Literal, TypeAlias

Correction: TypeAlias = Literal["bh", "bonferroni", "none"]
"""Benjamini-Hochberg, Bonferroni, or no correction for many tests."""
