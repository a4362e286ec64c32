"""The export has every field that Neuronpedia's importer reads, and what it says is what was observed."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from tests.tiny import tiny_model, tiny_tokenizer

from actmax.api.observe import observe
from actmax.atlas.neuronpedia import export_neuronpedia
from actmax.corpus.tokens import tokens_of_texts
from actmax.corpus.windows import windows_of
from actmax.results.observe import ObserveResult

# The columns of Neuronpedia's tables.
ACTIVATION = frozenset(
    {
        "id",
        "tokens",
        "dataIndex",
        "index",
        "layer",
        "modelId",
        "dataSource",
        "maxValue",
        "maxValueTokenIndex",
        "minValue",
        "values",
        "dfaValues",
        "dfaTargetIndex",
        "dfaMaxValue",
        "creatorId",
        "createdAt",
        "lossValues",
        "logitContributions",
        "binMin",
        "binMax",
        "binContains",
        "qualifyingTokenIndex",
    }
)
FEATURE = frozenset(
    {
        "modelId",
        "layer",
        "index",
        "creatorId",
        "createdAt",
        "maxActApprox",
        "hasVector",
        "vector",
        "vectorLabel",
        "vectorDefaultSteerStrength",
        "hookName",
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
        "frac_nonzero",
        "freq_hist_data_bar_heights",
        "freq_hist_data_bar_values",
        "logits_hist_data_bar_heights",
        "logits_hist_data_bar_values",
        "decoder_weights_dist",
    }
)
SOURCE = frozenset(
    {
        "id",
        "modelId",
        "setName",
        "creatorId",
        "hasDashboards",
        "inferenceEnabled",
        "inferenceHosts",
        "saelensConfig",
        "saelensRelease",
        "saelensSaeId",
        "hfRepoId",
        "hfFolderId",
        "visibility",
        "defaultOfModelId",
        "hasUmap",
        "hasUmapLogSparsity",
        "hasUmapClusters",
        "num_prompts",
        "num_tokens_in_prompt",
        "dataset",
        "notes",
        "createdAt",
    }
)


@pytest.fixture(scope="module")
def result() -> ObserveResult:
    texts = ["the cat sat on the mat and the dog ran\0 to the sea", "a red ship was waiting for the tide"]
    windows = windows_of(tokens_of_texts(texts, tiny_tokenizer()), length=8, bos=0)
    return observe(
        tiny_model(), ["blocks.1.mlp.hook_post:5", "blocks.1.mlp.hook_post:9", "hook_embed:2"], corpus=windows
    )


def rows(path: Path) -> list[dict[str, Any]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.decode().splitlines()]


def test_the_layout_and_its_fields(result: ObserveResult, tmp_path: Path) -> None:
    made = export_neuronpedia(result, tmp_path)
    mlp, embed = (tmp_path / "tiny-llama" / name for name in ("1-actmax-mlp-post", "0-actmax-embed"))
    assert made == [mlp, embed]
    assert sorted(path.relative_to(mlp).as_posix() for path in mlp.rglob("*") if path.is_file()) == [
        "activations/batch-0.jsonl.gz",
        "features/batch-0.jsonl.gz",
        "model.jsonl",
        "release.jsonl",
        "source.jsonl",
        "sourceset.jsonl",
    ]
    (source,) = rows(mlp / "source.jsonl")
    assert source.keys() == SOURCE
    (kind,) = rows(mlp / "sourceset.jsonl")
    (release,) = rows(mlp / "release.jsonl")
    (model,) = rows(mlp / "model.jsonl")
    assert source["setName"] == kind["name"]
    assert kind["releaseName"] == release["name"]
    assert source["modelId"] == model["id"] == "tiny-llama"
    for feature in rows(mlp / "features" / "batch-0.jsonl.gz"):
        assert feature.keys() == FEATURE
        assert (feature["layer"], feature["modelId"]) == (source["id"], source["modelId"])
        assert len(feature["freq_hist_data_bar_heights"]) == len(feature["freq_hist_data_bar_values"])
    for activation in rows(mlp / "activations" / "batch-0.jsonl.gz"):
        assert activation.keys() == ACTIVATION
        assert len(activation["tokens"]) == len(activation["values"])
        assert activation["values"][activation["maxValueTokenIndex"]] == activation["maxValue"]
        assert activation["minValue"] == min(activation["values"])
        assert not any("\0" in token for token in activation["tokens"])


def test_it_says_what_was_observed(result: ObserveResult, tmp_path: Path) -> None:
    (mlp, _) = export_neuronpedia(result, tmp_path)
    features = {row["index"]: row for row in rows(mlp / "features" / "batch-0.jsonl.gz")}
    activations = rows(mlp / "activations" / "batch-0.jsonl.gz")
    assert len({row["id"] for row in activations}) == len(activations)
    for unit in result.units[:2]:
        feature = features[str(unit.index)]
        assert feature["maxActApprox"] == unit.max
        assert feature["frac_nonzero"] == unit.density
        assert sum(feature["freq_hist_data_bar_heights"]) == unit.count
        mine = [row for row in activations if row["index"] == str(unit.index)]
        best = mine[0]
        top = unit.top[0]
        assert best["values"][best["qualifyingTokenIndex"]] == pytest.approx(top.activation, rel=1e-6)
        assert best["values"] == [0 if math.isnan(value) else value for value in top.values]


def test_twice_gives_the_same_bytes(result: ObserveResult, tmp_path: Path) -> None:
    for name in "ab":
        export_neuronpedia(result, tmp_path / name)
    for path in (tmp_path / "a").rglob("*.*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
