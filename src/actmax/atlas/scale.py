"""How large a unit gets in real text: the reference for every optimised activation.

An activation of 200 says nothing by itself; beside a maximum of 11 over a hundred thousand tokens of text it
does. The numbers come from an atlas where there is one, else from a quick observation (51,200 tokens spread
over the corpus), which is stored in the cache by model, unit, windows and rule for sinks. Sinks and position
0 are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from actmax.assets.asset import is_fetched
from actmax.assets.known import WIKIPEDIA_EXCERPT
from actmax.atlas.atlas import Atlas
from actmax.cache import cache_dir
from actmax.corpus.corpus import DEFAULT_CORPUS, open_corpus
from actmax.corpus.reading import Readings, read_units
from actmax.corpus.windows import Windows, windows_of
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy, bos_id
from actmax.models.model import Model
from actmax.models.sinks import SINK_MULTIPLE
from actmax.models.sites import Unit, resolve
from actmax.observation.observation import observe_unit
from actmax.progress import Progress, silent
from actmax.results.plain import from_plain, json_text
from actmax.results.run import CorpusMaximum
from actmax.results.store import write_text

QUICK = 51_200
"""The number of tokens of a quick observation."""

_VERSION = 1
_WINDOW = 128


@dataclass(frozen=True)
class Scale:
    """What a unit does in real text, in the units of the site."""

    unit: str
    maximum: float
    minimum: float
    mean: float
    std: float
    percentiles: Mapping[str, float]
    """From a percentage (``"99.9"``) to the value below which that share of positions stays."""
    n_tokens: int
    """The number of positions that these numbers are computed from."""
    corpus: str
    sha256: str
    """Of the corpus's text."""

    def ratio(self, activation: float, *, minimize: bool = False) -> float | None:
        """An activation as a multiple of the corpus maximum (with ``minimize``, minimum).

        None where the corpus never goes to that side of zero, so that a ratio would say nothing.
        """
        best = self.minimum if minimize else self.maximum
        same_side = best < 0 if minimize else best > 0
        return activation / best if same_side else None

    def extreme(self, *, minimize: bool = False) -> CorpusMaximum:
        """The corpus maximum (or minimum) as results of searches record it."""
        value = self.minimum if minimize else self.maximum
        return CorpusMaximum(value, self.n_tokens, self.corpus, self.sha256)


def scale_in_atlas(model: Model, unit: Unit, atlas: Atlas) -> Scale | None:
    """A unit's scale from an atlas of the same model.

    None where the atlas does not hold the unit, or was built with sinks, whose values would be its extremes.

    Raises:
        ActmaxError: the atlas is of another model, or damaged.
    """
    made = atlas.manifest
    if (made["model"], made["weights"]) != (model.name, model.source.sha256 or model.source.revision):
        raise ActmaxError(
            f"The atlas in {str(atlas.folder)!r} is of {made['model']} with other weights than {model.name};"
            " give one of the same model."
        )
    if unit.index is None or unit.site.name not in atlas.sites or made["include_sinks"]:
        return None
    seen = atlas.unit(f"{unit.site.name}:{unit.index}")
    return Scale(
        unit=unit.name,
        maximum=seen.max,
        minimum=seen.min,
        mean=seen.mean,
        std=seen.std,
        percentiles={f"{percent:.3g}": value for percent, value in seen.percentiles.items()},
        n_tokens=seen.count,
        corpus=made["corpus"]["name"],
        sha256=made["corpus"]["sha256"],
    )


def unit_scale(
    model: Model,
    unit: str | Unit,
    *,
    corpus: str | Windows = DEFAULT_CORPUS,
    atlas: Atlas | None = None,
    max_tokens: int = QUICK,
    bos: BosPolicy = "auto",
    progress: Progress = silent,
) -> Scale:
    """One unit's scale; see :func:`unit_scales`."""
    return unit_scales(
        model, [unit], corpus=corpus, atlas=atlas, max_tokens=max_tokens, bos=bos, progress=progress
    )[0]


def unit_scales(
    model: Model,
    units: Sequence[str | Unit],
    *,
    corpus: str | Windows = DEFAULT_CORPUS,
    atlas: Atlas | None = None,
    max_tokens: int = QUICK,
    bos: BosPolicy = "auto",
    progress: Progress = silent,
) -> list[Scale]:
    """The scales of some units; those that are not in the cache are measured in one pass over the corpus.

    Args:
        model: of the units.
        units: names or units.
        corpus: name or path, or windows that are already cut.
        atlas: looked up first.
        max_tokens: of the quick observation.
        bos: whether its windows begin with BOS.
        progress: called while the corpus is read.

    Raises:
        ActmaxError: a unit or corpus cannot be read.
        KeyboardInterrupt: stopped before everything was read; a part would give a different scale each time.
    """
    resolved = [unit if isinstance(unit, Unit) else resolve(model, unit) for unit in units]
    known = {
        k: scale_in_atlas(model, unit, atlas) if atlas is not None else None
        for k, unit in enumerate(resolved)
    }
    if all(known.values()):
        return [scale for scale in known.values() if scale is not None]
    if isinstance(corpus, Windows):
        windows = corpus
    else:
        windows = quick_windows(model, corpus, max_tokens=max_tokens, bos=bos, progress=progress)
    for k, one in enumerate(resolved):
        known[k] = known[k] or _read(_place(model, one, windows), one)
    unknown = [k for k, scale in known.items() if scale is None]
    if unknown:
        readings = read_units(model, [resolved[k] for k in unknown], windows, progress=progress)
        if not readings.complete:
            raise KeyboardInterrupt
        for n, k in enumerate(unknown):
            known[k] = scale_of(readings, n)
    return [scale for scale in known.values() if scale is not None]


def scale_of(readings: Readings, n: int = 0) -> Scale:
    """The scale of the ``n``-th unit of a reading, stored for the next time where all windows were read."""
    windows = readings.windows
    seen = observe_unit(readings, n, top=1, context=0)
    scale = Scale(
        unit=seen.unit,
        maximum=seen.max,
        minimum=seen.min,
        mean=seen.mean,
        std=seen.std,
        percentiles={f"{100 * level.quantile:.3g}": level.value for level in seen.quantiles},
        n_tokens=seen.count,
        corpus=windows.tokens.name,
        sha256=windows.tokens.text_sha256,
    )
    if readings.complete:
        _write(_place(readings.model, readings.units[n], windows), scale)
    return scale


def quick_windows(
    model: Model,
    corpus: str = DEFAULT_CORPUS,
    *,
    max_tokens: int = QUICK,
    bos: BosPolicy = "auto",
    progress: Progress = silent,
) -> Windows:
    """The windows of a quick observation.

    Raises:
        ActmaxError: the corpus cannot be read.
    """
    tokens = open_corpus(corpus, model.tokenizer, max_tokens=max_tokens, progress=progress)
    length, first = min(_WINDOW, model.context), bos_id(model.tokenizer, bos)
    return windows_of(tokens, length=length, bos=first, max_tokens=max_tokens)


def known_scale(model: Model, unit: Unit, *, bos: BosPolicy = "auto") -> Scale | None:
    """A unit's scale in the default corpus where an earlier run has stored it in the cache; nothing is
    fetched."""
    whose = _whose(model, unit)
    if whose is None or not is_fetched(WIKIPEDIA_EXCERPT):
        return None
    if not any((cache_dir() / "scales").glob(f"{whose}-*.json")):
        return None  # without it the corpus need not even be opened
    return _read(_place(model, unit, quick_windows(model, bos=bos)), unit)


def _place(model: Model, unit: Unit, windows: Windows) -> Path | None:
    """The cache file of a scale; None where nothing distinguishes this model from another."""
    whose = _whose(model, unit)
    return None if whose is None else cache_dir() / "scales" / f"{whose}-{windows.sha256[:16]}.json"


def _whose(model: Model, unit: Unit) -> str | None:
    identity = model.source.sha256 or model.source.revision
    if identity is None:
        return None
    direction = b"" if unit.direction is None else unit.direction.double().cpu().numpy().tobytes()
    key = json.dumps(
        [
            _VERSION,
            model.source.location,
            identity,
            str(model.dtype),
            unit.site.name,
            unit.index,
            hashlib.sha256(direction).hexdigest(),
            SINK_MULTIPLE,
        ]
    )
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _read(place: Path | None, unit: Unit) -> Scale | None:
    """What an earlier run stored; a file that cannot be read is ignored."""
    if place is None or not place.is_file():
        return None
    try:
        return from_plain(Scale, {**json.loads(place.read_text(encoding="utf-8")), "unit": unit.name})
    except (OSError, ValueError, ActmaxError):
        return None


def _write(place: Path | None, scale: Scale | None) -> None:
    """Store a scale for the next time; where the cache cannot be written to, it is measured again then."""
    if place is None:
        return
    try:
        write_text(place, json_text(scale))
    except ActmaxError:
        return
