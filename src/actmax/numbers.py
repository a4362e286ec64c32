"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

NONE = "–"
SMALLEST_P = 1e-300


def number(value: float | None, digits: int = 3) -> str:
    """``value`` to ``digits`` significant digits: ``234``, ``0.57``, ``−1.2``, ``12,300``, ``1.2e−07``.

    None and numbers that are not finite are a dash. Digits before the point are all kept, and from 0.1 on
    there are at most ``digits - 1`` after it.
    """
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if exponent < -4 or exponent > 9:
        mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
        text = f"{mantissa}e{int(power)}"
    else:
        decimals = max(digits - 1 - exponent, 0)
        text = f"{value:,.{min(decimals, digits - 1) if exponent >= -1 else decimals}f}"
    return text.replace("-", "−")


def count(value: int) -> str:
    """A whole number with its thousands apart: ``1,000``."""
    return f"{value:,}".replace("-", "−")


def cosine(value: float) -> str:
    """A cosine similarity, two digits after the point: ``0.19``."""
    return f"{value:.2f}".replace("-", "−") if math.isfinite(value) else NONE


def percent(share: float) -> str:
    """A share as a whole percentage, or with one digit below 10 %: ``46 %``, ``0.3 %``.

    What is not all is never called 100 %: ``99.8 %``, and ``99.9 %`` at most.
    """
    if not math.isfinite(share):
        return NONE
    hundredth = 100 * share
    if 99.5 <= abs(hundredth) < 100:
        return f"{math.copysign(math.floor(abs(hundredth) * 10) / 10, share):.1f} %".replace("-", "−")
    text = f"{hundredth:.0f} %" if abs(hundredth) >= 10 else f"{hundredth:.1f} %"
    return text.replace("-", "−")


def seconds(value: float) -> str:
    """A duration: ``0.8 s``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if not math.isfinite(value):
        return NONE
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def times(value: float) -> str:
    """A multiple: ``0.66 ×``."""
    return f"{value:.2f} ×".replace("-", "−") if math.isfinite(value) else NONE


def p_value(value: float) -> str:
    """A p-value; one too small for a float says so: ``0.0400``, ``< 1e−300``."""
    if math.isfinite(value) and value < SMALLEST_P:
        return f"< {number(SMALLEST_P, 1)}"
    return number(value)


def formatted(value: float, style: str) -> str:
    """``value`` as the function of this module named ``style`` writes it, or by a specification as ``.2f``.

    NaN is a dash, and an infinite number its sign: ``∞``, ``−∞``.
    """
    if not math.isfinite(value):
        return NONE if math.isnan(value) else "∞" if value > 0 else "−∞"
    if style == "count":
        return count(round(value)) if value == round(value) else number(value)
    return _STYLES[style](value) if style in _STYLES else format(value, style).replace("-", "−")


_STYLES: Mapping[str, Callable[[float], str]] = {
    "number": number,
    "percent": percent,
    "cosine": cosine,
    "seconds": seconds,
    "times": times,
    "p": p_value,
}
