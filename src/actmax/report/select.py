"""The page of a selection."""

from __future__ import annotations
from typing import Any
from actmax.report.numbers import count, percent
from actmax.results.select import SelectResult


def conclusion(result: SelectResult) -> str:
    """x"""
    return f"{count(result.significant)} of {count(result.n_units)}"


def page(result: Any) -> str:
    """x"""
    return "x"


def summary(result: Any) -> str:
    """x"""
    return "x"
