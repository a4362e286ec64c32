"""Reading an atlas: a unit's statistics and examples, its corpus maximum, and units by what they fire on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from actmax.atlas.state import BUILDING, MANIFEST, SCHEMA
from actmax.atlas.tables import CONTEXTS, EXAMPLES, PERCENTILES, UNITS, column_of
from actmax.errors import ActmaxError, nearest
from actmax.results.store import read_json

_ALIAS = re.compile(r"hidden_states\.(\d+)")


@dataclass(frozen=True)
class AtlasExample:
    """A corpus position at which a unit is strong."""

    activation: float
    token: str
    text_before: str
    text_after: str
    document: int
    document_name: str
    offset: int
    """Character of the document at which the token begins."""
    where: int
    """Corpus position."""


@dataclass(frozen=True)
class AtlasUnit:
    """One unit over the whole corpus; activations are in the units of the site."""

    unit: str
    count: int
    """The number of positions that the statistics are computed from."""
    mean: float
    std: float
    min: float
    max: float
    density: float
    """Share of positions above zero."""
    percentiles: Mapping[float, float]
    """Estimated from one position in 32."""
    histogram: tuple[int, ...]
    """Counts, over one position in 32, between the atlas's ``histogram_edges``."""
    top: tuple[AtlasExample, ...]
    """At most one per document, strongest first."""
    bottom: tuple[AtlasExample, ...]


@dataclass(frozen=True)
class Found:
    """A unit that has top examples at matching tokens."""

    unit: str
    matches: int
    of: int
    """The number of the unit's top examples."""
    max: float
    """Its strongest matching activation."""
    tokens: tuple[str, ...]
    """The matching tokens, most frequent first."""


@dataclass(frozen=True)
class Atlas:
    """A finished atlas. Open one with :meth:`open`."""

    folder: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> Atlas:
        """The atlas in a folder.

        Raises:
            ActmaxError: there is none, or it is not finished.
        """
        place = Path(folder).expanduser()
        if (place / BUILDING).exists() and not (place / MANIFEST).exists():
            raise ActmaxError(
                f"The atlas in {str(place)!r} is not finished; finish it with `actmax atlas build --resume`."
            )
        if not (place / MANIFEST).exists():
            raise ActmaxError(f"There is no atlas in {str(place)!r}; make one with `actmax atlas build`.")
        return cls(place, read_json(place / MANIFEST, SCHEMA))

    @property
    def sites(self) -> list[str]:
        """Names of the recorded sites."""
        return [site["name"] for site in self.manifest["recorded"]]

    def unit(self, name: str) -> AtlasUnit:
        """Statistics and examples of one unit.

        Raises:
            ActmaxError: the atlas has no such unit, or a table is damaged.
        """
        canonical = self.canonical(name)
        row = self._read(UNITS, [("unit", "==", canonical)]).to_pylist()[0]
        examples = self._read(EXAMPLES, [("unit", "==", canonical)])
        wanted = sorted(set(examples["where"].to_pylist()))
        contexts = {
            c["where"]: c for c in self._read(CONTEXTS, [("where", "in", wanted or [-1])]).to_pylist()
        }
        ends: dict[str, list[AtlasExample]] = {"top": [], "bottom": []}
        for example in examples.sort_by("rank").to_pylist():
            around = contexts[example["where"]]
            ends[example["end"]].append(
                AtlasExample(
                    activation=example["activation"],
                    token=example["token"],
                    **{
                        key: around[key]
                        for key in (
                            "text_before",
                            "text_after",
                            "document",
                            "document_name",
                            "offset",
                            "where",
                        )
                    },
                )
            )
        return AtlasUnit(
            **{key: row[key] for key in ("unit", "count", "mean", "std", "min", "max", "density")},
            percentiles={percent: row[column_of(percent)] for percent in PERCENTILES},
            histogram=tuple(row["histogram"]),
            top=tuple(ends["top"]),
            bottom=tuple(ends["bottom"]),
        )

    def maximum(self, name: str) -> float:
        """The largest activation of a unit over the corpus."""
        found = self._read(UNITS, [("unit", "==", self.canonical(name))], columns=["max"])
        return float(found["max"][0].as_py())

    def find(self, text: str, *, end: str = "top", limit: int = 50) -> list[Found]:
        """Units whose examples' tokens match a regular expression, by how many of them do.

        Raises:
            ActmaxError: the expression is not one.
        """
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise ActmaxError(
                f"{text!r} is not a regular expression ({error}); correct or escape it."
            ) from None
        table = self._read(EXAMPLES, [("end", "==", end)], columns=["unit", "token", "activation"])
        if not table.num_rows:
            return []
        tokens = pc.dictionary_encode(table["token"].combine_chunks())
        good = np.array([bool(pattern.search(token)) for token in tokens.dictionary.to_pylist()])
        matching = table.filter(pa.array(good[tokens.indices.to_numpy()]))
        if not matching.num_rows:
            return []
        size = "max" if end == "top" else "min"
        ranked = (
            matching.group_by("unit", use_threads=False)
            .aggregate([("token", "count"), ("activation", size), ("token", "list")])
            .sort_by([("token_count", "descending"), ("unit", "ascending")])
            .slice(0, limit)
        )
        names = ranked["unit"].to_pylist()
        counts = pc.value_counts(table["unit"].filter(pc.is_in(table["unit"], pa.array(names)))).to_pylist()
        of = {count["values"]: count["counts"] for count in counts}
        return [
            Found(
                unit=row["unit"],
                matches=row["token_count"],
                of=of[row["unit"]],
                max=row[f"activation_{size}"],
                tokens=_by_frequency(row["token_list"]),
            )
            for row in ranked.to_pylist()
        ]

    def canonical(self, name: str) -> str:
        """A unit's name as the tables have it: ``SITE:INDEX`` without heads or aliases.

        Raises:
            ActmaxError: the atlas has no such unit.
        """
        site, _, index = name.rpartition(":")
        if alias := _ALIAS.fullmatch(site):
            site = (
                f"blocks.{int(alias[1]) - 1}.hook_resid_post" if int(alias[1]) else "blocks.0.hook_resid_pre"
            )
            if int(alias[1]) == self.manifest["n_blocks"] and self.manifest["final_norm"]:
                site = "ln_final.hook_normalized"
        known = {recorded["name"]: recorded for recorded in self.manifest["recorded"]}
        head = 0
        stem, _, last = site.rpartition(".")
        if site not in known and stem in known and last.isdecimal() and known[stem]["d_head"]:
            site, head = stem, int(last)
        if site not in known:
            raise ActmaxError(
                f"The atlas has no unit {name!r}; the nearest sites in it are {nearest(site, known)}."
            )
        width, size = known[site]["width"], known[site]["d_head"]
        number = int(index) if re.fullmatch(r"\d+", index) else -1
        inside = 0 <= number < (size if site != name.rpartition(":")[0] and size else width)
        if not inside or head * (size or 0) + number >= width:
            raise ActmaxError(f"The index of {name!r} is out of range; {site} has 0 to {width - 1}.")
        return f"{site}:{head * (size or 0) + number}"

    def _read(self, table: str, filters: list[Any], columns: list[str] | None = None) -> pa.Table:
        path = self.folder / table
        try:
            return pq.read_table(path, filters=filters, columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise ActmaxError(
                f"{str(path)!r} cannot be read; it was changed or removed, so build the atlas again."
            ) from error


def _by_frequency(tokens: list[str]) -> tuple[str, ...]:
    counts = {token: tokens.count(token) for token in sorted(set(tokens))}
    return tuple(sorted(counts, key=lambda token: -counts[token]))
