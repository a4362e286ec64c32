"""A histogram as small as a line of text, written as SVG by hand."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 44


def histogram_line(
    values: NDArray[np.floating], *, low: float, high: float, marks: tuple[float, ...] = (), alt: str = ""
) -> Markup:
    """A histogram of ``values`` between ``low`` and ``high`` with logarithmic counts and marked values.

    Args:
        values: finite or not; only finite ones within the limits are counted.
        low: left end, shared by lines that are compared.
        high: right end.
        marks: values to mark by a tick under the histogram.
        alt: what it shows.
    """
    counts, edges = np.histogram(values[np.isfinite(values)], bins=80, range=(low, high))
    heights = np.log1p(counts) / max(float(np.log1p(counts.max(initial=0))), 1.0) * (HEIGHT - 10)
    scale = WIDTH / ((high - low) or 1.0)
    base = HEIGHT - 8
    path = [f"M0 {base}"]
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        path.append(
            f"L{(left - low) * scale:.1f} {base - height:.1f}L{(right - low) * scale:.1f} {base - height:.1f}"
        )
    path.append(f"L{WIDTH} {base}Z")
    ticks = "".join(f"M{(mark - low) * scale:.1f} {base + 1}v7" for mark in marks if low <= mark <= high)
    zero = f"M{(0 - low) * scale:.1f} 0V{base}" if low < 0 < high else ""
    return Markup(
        '<svg class="line" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="none">'
        '<path d="{}" fill="var(--blue)" fill-opacity=".45"/><path d="{}" stroke="var(--grid)"/>'
        '<path d="{}" stroke="var(--orange)" stroke-width="2"/></svg>'
    ).format(WIDTH, HEIGHT, alt, "".join(path), zero, ticks)
