"""``actmax check UNIT``: the assumptions of activation maximization, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, UnitArgument
from actmax.cli.terminal import finish, nothing_saved
from actmax.corpus.names import check_corpora
from actmax.corpus.settings import CORPUS, DEFAULT_CORPUS, CorpusNames
from actmax.inputs.settings import BosPolicy
from actmax.settings import Option, Settings


@dataclass(frozen=True, kw_only=True)
class MeasureOptions(Settings):
    """What `check` and `investigate` have in common."""

    corpus: Annotated[CorpusNames, Option(short="-c", metavar="NAME|PATH")] = (DEFAULT_CORPUS,)
    """wikipedia-excerpt, files, a folder, - for stdin, or hf:NAME; may be given again."""
    max_tokens: Annotated[int, Ge(1)] = 12_288
    """Tokens of the corpus that are read."""
    others: int = 19
    """Random units to compare with; with fewer than 19 none can stand out."""
    steps: int = 75
    """Updates of soft ascent."""
    length: int = 5
    """Positions that are optimised."""
    shuffled: bool = True
    """Also check a copy of the model with shuffled weights."""
    text: Annotated[Sequence[str], Option(metavar="TEXT")] = ()
    """Also judge this text; may be given again."""
    bos: Annotated[BosPolicy, Option(panel=CORPUS)] = "auto"
    """Whether windows begin with BOS."""
    seed: Annotated[int, Ge(0)] = 0
    """Everything random is drawn from this."""

    def arguments(self) -> dict[str, object]:
        """The arguments of the functions in Python."""
        given = dict(vars(self))
        given["texts"] = given.pop("text")
        return given


@dataclass(frozen=True, kw_only=True)
class CheckOptions(MeasureOptions):
    """The settings of `check`."""

    method: Annotated[str | None, Option(metavar="NAME")] = None
    """Also judge the best text of this token method."""


@verb("check", order=50)
def check(unit: UnitArgument, settings: CheckOptions, machine: Machine, output: Output) -> None:
    """Measure the assumptions that activation maximization rests on, each with its controls.

    Examples:
      actmax check hidden_states.4:90 --out runs/checked
      actmax check blocks.8.mlp.hook_post:1022 --text "the best text so far" --no-shuffled
    """
    check_corpora(settings.corpus)
    output.prepare()
    opened = machine.load(quiet=output.quiet)
    import actmax.api.check as api
    from actmax.cli.show.findings import show_check

    with nothing_saved("the first check was done"), progress_bar(quiet=output.quiet) as progress:
        result = api.check(opened, unit, **settings.arguments(), progress=progress)  # type: ignore[arg-type]
    finish(result, output, lambda screen: show_check(result, screen))
