"""What every example shares: its options, its five lines and its picture.

Run one as ``python examples/NAME.py``; ``--quick`` cuts the sizes so that it takes seconds.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import actmax
from actmax.corpus.corpus import open_corpus
from actmax.corpus.tokens import Tokens
from actmax.models.model import Model

LINES = 5
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#e69f00", "#009e73", "#777777"


@dataclass(frozen=True)
class Lesson:
    """One run of an example."""

    name: str
    model_name: str | None
    corpus_name: str
    quick: bool
    out: Path
    seed: int

    def model(self) -> Model:
        """The model that was asked for."""
        return actmax.load(self.model_name)

    def corpus(self, model: Model) -> Tokens:
        """The corpus that was asked for, tokenised."""
        return open_corpus(self.corpus_name, model.tokenizer)

    def size(self, full: int, quick: int) -> int:
        """A number that ``--quick`` makes smaller."""
        return quick if self.quick else full

    def finish(self, figure: Figure, lines: Sequence[str], **numbers: Any) -> dict[str, Any]:
        """Write the picture, print the conclusion, hand back its numbers."""
        assert len(lines) == LINES, f"a conclusion has {LINES} lines"
        self.out.mkdir(parents=True, exist_ok=True)
        picture = self.out / f"{self.name}.png"
        figure.savefig(picture, dpi=110)
        for line in lines:
            print(line)
        print(f"picture: {picture}")
        return numbers


def lesson(file: str, doc: str | None, argv: Sequence[str] | None) -> Lesson:
    """The options of one example, from its file name and docstring."""
    name = Path(file).stem
    parser = argparse.ArgumentParser(
        prog=f"examples/{name}.py",
        description=textwrap.dedent(doc or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default=None, help="default: smollm2-135m; the original's is named above")
    parser.add_argument(
        "--corpus", default="wikipedia-excerpt", help="a name or a file, such as a book's .txt"
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--out", type=Path, default=Path("runs/examples"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    return Lesson(name, given.model, given.corpus, given.quick, given.out, given.seed)


def axes(columns: int = 1, height: float = 3.4) -> tuple[Figure, list[Axes]]:
    """An empty figure with some axes side by side."""
    figure = Figure(figsize=(5.2 * columns, height), layout="constrained")
    drawn = [figure.add_subplot(1, columns, k + 1) for k in range(columns)]
    for axis in drawn:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, drawn
