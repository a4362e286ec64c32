"""An observation in the layout that Neuronpedia's importer reads.

``MODEL/LAYER-SET/`` holds ``model.jsonl``, ``release.jsonl``, ``sourceset.jsonl``, ``source.jsonl``, and
under ``features/`` and ``activations/`` one ``batch-0.jsonl.gz`` each. Field names are those of the
importer's tables (``Model``, ``SourceRelease``, ``SourceSet``, ``Source``, ``Neuron`` and ``Activation`` in
Neuronpedia's Prisma schema). A source is one site, because the features of a source share one index space;
its set is named after the kind of site. What an observation does not know (logits, alignment with neurons) is
empty, as the importer allows.

Positions that are left out (sinks, position 0) have the value 0 there: the layout has no way to say it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from actmax.results.observe import ObserveResult
from actmax.results.observed_unit import CorpusExample, UnitObservation
from actmax.results.store import write_files

CREATOR = "clkht01d40000jv08hvalcvly"
"""The creator id that Neuronpedia's tools use where none is set."""

_EMPTY_OF_A_FEATURE = (
    "vector",
    "topkCosSimIndices",
    "topkCosSimValues",
    "neuron_alignment_indices",
    "neuron_alignment_values",
    "neuron_alignment_l1",
    "correlated_neurons_indices",
    "correlated_neurons_pearson",
    "correlated_neurons_l1",
    "correlated_features_indices",
    "correlated_features_pearson",
    "correlated_features_l1",
    "neg_str",
    "neg_values",
    "pos_str",
    "pos_values",
    "logits_hist_data_bar_heights",
    "logits_hist_data_bar_values",
    "decoder_weights_dist",
)


def export_neuronpedia(
    result: ObserveResult,
    folder: str | os.PathLike[str],
    *,
    set_prefix: str = "actmax",
    creator_name: str = "actmax",
    creator_id: str = CREATOR,
) -> list[Path]:
    """Write an observation for Neuronpedia.

    Args:
        result: of any number of units.
        folder: ``MODEL/LAYER-SET`` folders are made in it.
        set_prefix: of the names of sets, ``PREFIX-KIND``, for example ``actmax-mlp-post``.
        creator_name: shown as the maker.
        creator_id: of a user of the Neuronpedia that will import it.

    Returns:
        The sources' folders.

    Raises:
        ActmaxError: the folder cannot be written to, or its disk is full.
    """
    sources: dict[str, list[UnitObservation]] = {}
    for unit in result.units:
        sources.setdefault(unit.site, []).append(unit)
    made = []
    for site, units in sources.items():
        source = _Source(result, site, f"{set_prefix}-{_kind(site)}", creator_name, creator_id)
        target = Path(folder) / source.model / source.id
        features = [_feature(source, unit, place) for place, unit in enumerate(units)]
        activations = [row for place, unit in enumerate(units) for row in _activations(source, unit, place)]
        records = {
            "model.jsonl": _lines([source.model_row()]),
            "release.jsonl": _lines([source.release_row()]),
            "sourceset.jsonl": _lines([source.set_row()]),
            "source.jsonl": _lines([source.row()]),
        }
        write_files(target, records)
        write_files(target / "features", {"batch-0.jsonl.gz": _zipped(features)})
        write_files(target / "activations", {"batch-0.jsonl.gz": _zipped(activations)})
        made.append(target)
    return made


@dataclass(frozen=True)
class _Source:
    """One site of a model, as Neuronpedia names it."""

    result: ObserveResult
    site: str
    set: str
    creator_name: str
    creator_id: str

    @property
    def model(self) -> str:
        return re.sub(r"[^\w.-]+", "-", self.result.model)

    @property
    def layer(self) -> int:
        """The block; 0 for the embedding, the last block for what comes after it."""
        found = re.match(r"blocks\.(\d+)\.", self.site)
        if found:
            return int(found[1])
        return 0 if self.site == "hook_embed" else self.result.n_blocks - 1

    @property
    def id(self) -> str:
        return f"{self.layer}-{self.set}"

    @property
    def created(self) -> str:
        return self.result.manifest.created.removesuffix("Z")

    def common(self) -> dict[str, Any]:
        return {"creatorId": self.creator_id, "createdAt": self.created}

    def model_row(self) -> dict[str, Any]:
        return {
            "id": self.model,
            "instruct": "instruct" in self.model.lower(),
            "displayNameShort": self.model,
            "displayName": self.model,
            "tlensId": None,
            "dimension": None,
            "visibility": "PUBLIC",
            "defaultSourceSetName": None,
            "defaultSourceId": None,
            "inferenceEnabled": False,
            "layers": self.result.n_blocks,
            "neuronsPerLayer": 0,
            "owner": "",
            "updatedAt": self.created,
            "website": None,
            **self.common(),
        }

    def release_row(self) -> dict[str, Any]:
        corpus = self.result.corpus
        owed = f" {corpus.attribution}." if corpus.attribution else ""
        about = f"Observed by actmax on {corpus.tokens} tokens of {corpus.name}.{owed}"
        return {
            "name": self.set,
            "description": about,
            "descriptionShort": about,
            "creatorName": self.creator_name,
            "creatorNameShort": self.creator_name,
            "creatorEmail": None,
            "visibility": "PUBLIC",
            "isNewUi": False,
            "featured": False,
            "urls": [],
            "defaultSourceSetName": None,
            "defaultSourceId": None,
            "defaultUmapSourceIds": [],
            **self.common(),
        }

    def set_row(self) -> dict[str, Any]:
        return {
            "modelId": self.model,
            "name": self.set,
            "hasDashboards": True,
            "visibility": "PUBLIC",
            "description": f"{_kind(self.site)}, observed by actmax",
            "type": "neurons",
            "creatorName": self.creator_name,
            "urls": [],
            "creatorEmail": None,
            "releaseName": self.set,
            "defaultOfModelId": None,
            "defaultRange": 1,
            "defaultShowBreaks": True,
            "showDfa": False,
            "showCorrelated": False,
            "showHeadAttribution": False,
            "showUmap": False,
            **self.common(),
        }

    def row(self) -> dict[str, Any]:
        corpus = self.result.corpus
        return {
            "id": self.id,
            "modelId": self.model,
            "setName": self.set,
            "hasDashboards": True,
            "inferenceEnabled": False,
            "inferenceHosts": [],
            "saelensConfig": None,
            "saelensRelease": None,
            "saelensSaeId": None,
            "hfRepoId": None,
            "hfFolderId": None,
            "visibility": "PUBLIC",
            "defaultOfModelId": None,
            "hasUmap": False,
            "hasUmapLogSparsity": False,
            "hasUmapClusters": False,
            "num_prompts": corpus.windows,
            "num_tokens_in_prompt": corpus.window,
            "dataset": corpus.name,
            "notes": None,
            **self.common(),
        }


def _kind(site: str) -> str:
    """``blocks.3.mlp.hook_post`` as ``mlp-post``."""
    return re.sub(r"^blocks\.\d+\.", "", site).replace("hook_", "").replace(".", "-").replace("_", "-")


def _index(unit: UnitObservation, place: int) -> str:
    """The unit's own index; a direction has none, and gets its place in the list."""
    return str(place if unit.index is None else unit.index)


def _feature(source: _Source, unit: UnitObservation, place: int) -> dict[str, Any]:
    edges = unit.histogram.edges
    return {
        "modelId": source.model,
        "layer": source.id,
        "index": _index(unit, place),
        "maxActApprox": unit.max,
        "hasVector": False,
        "vectorLabel": unit.unit if unit.index is None else None,
        "vectorDefaultSteerStrength": unit.max,
        "hookName": unit.site,
        "frac_nonzero": unit.density,
        "freq_hist_data_bar_heights": list(unit.histogram.counts),
        # The importer pairs each height with one value: the middle of the bar.
        "freq_hist_data_bar_values": [(a + b) / 2 for a, b in pairwise(edges)],
        **{name: [] for name in _EMPTY_OF_A_FEATURE},
        **source.common(),
    }


def _activations(source: _Source, unit: UnitObservation, place: int) -> Iterator[dict[str, Any]]:
    levels = unit.quantiles
    groups: list[tuple[Sequence[CorpusExample], Mapping[str, float | None]]] = [
        (unit.top, {"binMin": None, "binMax": None, "binContains": None}),
        (unit.bottom, {"binMin": None, "binMax": None, "binContains": None}),
    ]
    for lower, upper in pairwise(levels):
        share = upper.quantile - lower.quantile
        inside = {"binMin": lower.value, "binMax": upper.value, "binContains": share}
        groups.append((upper.examples, inside))
    seen: set[int] = set()
    for examples, bounds in groups:
        for example in examples:
            if example.where in seen:
                continue
            seen.add(example.where)
            yield _activation(source, unit, place, example, bounds)


def _activation(
    source: _Source,
    unit: UnitObservation,
    place: int,
    example: CorpusExample,
    bounds: Mapping[str, float | None],
) -> dict[str, Any]:
    values = [0.0 if value != value else value for value in example.values]
    largest = max(values)
    name = f"{source.model} {source.id} {_index(unit, place)} {source.result.corpus.sha256} {example.where}"
    return {
        "id": "a" + hashlib.sha256(name.encode()).hexdigest()[:24],
        "tokens": list(example.tokens),
        "dataIndex": None,
        "index": _index(unit, place),
        "layer": source.id,
        "modelId": source.model,
        "dataSource": None,
        "maxValue": largest,
        "maxValueTokenIndex": values.index(largest),
        "minValue": min(values),
        "values": values,
        "dfaValues": [],
        "dfaTargetIndex": None,
        "dfaMaxValue": None,
        "lossValues": [],
        "logitContributions": None,
        **bounds,
        "qualifyingTokenIndex": example.peak,
        **source.common(),
    }


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    # PostgreSQL's text holds no NUL.
    return text.replace("\\u0000", "\\u2400").encode()


def _zipped(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return gzip.compress(_lines(rows), compresslevel=5, mtime=0)
