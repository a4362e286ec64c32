"""The settings that verbs share: the model and the machine, where results go, and the unit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from annotated_types import Ge

from actmax.cli.bar import progress_bar
from actmax.models.unit_names import split_unit
from actmax.settings import UNRECORDED, Option, Settings

if TYPE_CHECKING:
    from actmax.models.model import Model

MACHINE = "Model and machine"
OUTPUT = "Output"


def _written(units: list[str] | str) -> list[str] | str:
    """Units, or one, refused at once where they are not even written as units."""
    for unit in [units] if isinstance(units, str) else units:
        split_unit(unit)
    return units


UnitArgument = Annotated[
    str,
    typer.Argument(
        metavar="UNIT",
        callback=_written,
        help="SITE:INDEX, for example hidden_states.4:90; see `actmax sites`.",
    ),
]
UnitsArgument = Annotated[
    list[str],
    typer.Argument(metavar="UNIT...", callback=_written, help="Such as hidden_states.4:90."),
]


@dataclass(frozen=True, kw_only=True)
class Machine(Settings):
    """Which model is loaded, and where it runs."""

    model: Annotated[str | None, Option(panel=MACHINE, short="-m", metavar="NAME")] = None
    """A hub name (gpt2), a directory of safetensors, or a .gguf file; the default is smollm2-135m."""
    device: Annotated[str, Option(panel=MACHINE, metavar="DEVICE")] = "auto"
    """auto, cpu, cuda, cuda:0 or mps."""
    dtype: Annotated[str, Option(panel=MACHINE, metavar="DTYPE")] = "float32"
    """float32, float64, bfloat16 or float16."""
    dictionary: Annotated[tuple[str, ...], Option(panel=MACHINE, metavar="[NAME=]PATH")] = ()
    """A sparse autoencoder or transcoder, whose latents are units NAME:INDEX (sae unless named); may be given
    again."""
    fold: Annotated[bool, Option(panel=MACHINE)] = True
    """Fold decoder norms into encoders, as Neuronpedia shows latents."""
    unchecked: Annotated[bool, Option(panel=MACHINE)] = False
    """Use a dictionary although it does not fit the model on real text."""
    threads: Annotated[int | None, Ge(1), Option(panel=MACHINE)] = None
    """Threads that torch computes with; by default as many as there are cores."""

    def limit_threads(self) -> None:
        """Let torch use the number of threads that was asked for."""
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)

    def load(self, *, quiet: bool) -> Model:
        """The model, with a progress line while it loads.

        Where there was a choice of weight files, a line on stderr says which were read.

        Raises:
            ActmaxError: as :func:`actmax.load`.
        """
        with progress_bar(quiet=quiet) as progress:
            progress("starting", 0, None)
            from actmax.api.load import load, named_paths

            self.limit_threads()
            model = load(
                self.model,
                device=self.device,
                dtype=self.dtype,
                dictionaries=named_paths(self.dictionary),
                fold=self.fold,
                unchecked=self.unchecked,
                progress=progress,
            )
        if model.source.note and not quiet:
            typer.echo(f"actmax: {model.source.note}", err=True)
        return model


@dataclass(frozen=True, kw_only=True)
class Reply(Settings):
    """What is printed."""

    json: Annotated[bool, UNRECORDED, Option(panel=OUTPUT)] = False
    """Print JSON on stdout and nothing else."""
    quiet: Annotated[bool, UNRECORDED, Option(panel=OUTPUT, short="-q")] = False
    """Print nothing but errors."""


@dataclass(frozen=True, kw_only=True)
class Output(Reply):
    """Where the result goes."""

    out: Annotated[Path | None, UNRECORDED, Option(metavar="DIR")] = None
    """Also write the result and its report into this folder."""

    def prepare(self) -> None:
        """Make the folder and see that it can be written to, before the work begins.

        Raises:
            ActmaxError: it cannot be made or written to, or its disk is full.
        """
        if self.out is not None:
            from actmax.results.store import prepare_out

            prepare_out(self.out)


@dataclass(frozen=True, kw_only=True)
class Seed(Settings):
    """The seed, for verbs whose own settings have none."""

    seed: Annotated[int, Ge(0), Option(panel=MACHINE)] = 0
    """Everything random is drawn from this."""
