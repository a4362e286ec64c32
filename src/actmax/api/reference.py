"""What an optimised activation is measured against: the largest in text that people wrote."""

from __future__ import annotations

from pathlib import Path

from actmax.atlas.atlas import Atlas
from actmax.atlas.scale import known_scale, scale_in_atlas, unit_scale
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.progress import Progress, silent
from actmax.results.run import CorpusMaximum


def corpus_maximum(
    model: Model,
    unit: Unit,
    *,
    minimize: bool = False,
    corpus: str | None = None,
    atlas: Path | None = None,
    progress: Progress = silent,
) -> CorpusMaximum | None:
    """The corpus maximum (with ``minimize``, minimum) of a unit, sinks and position 0 left out.

    Args:
        model: of the unit.
        unit: what is looked at.
        minimize: give the minimum.
        corpus: name or path of what is read for it; None reads nothing and gives what an earlier run has
            measured in the default corpus.
        atlas: folder of an atlas, asked first.
        progress: called while text is read.

    Returns:
        None where nothing is known and no corpus is named.

    Raises:
        ActmaxError: the corpus or the atlas cannot be read, or the atlas does not hold the unit and no corpus
            is named.
    """
    if atlas is not None:
        scale = scale_in_atlas(model, unit, Atlas.open(atlas))
        if scale is not None:
            return scale.extreme(minimize=minimize)
        if corpus is None:
            raise ActmaxError(
                f"The atlas in {str(atlas)!r} does not say how large {unit.name} gets; name a corpus with "
                "--corpus."
            )
    if corpus is not None:
        return unit_scale(model, unit, corpus=corpus, progress=progress).extreme(minimize=minimize)
    found = known_scale(model, unit)
    return None if found is None else found.extreme(minimize=minimize)
