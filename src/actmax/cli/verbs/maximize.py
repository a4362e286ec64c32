"""``actmax maximize UNIT``: the input that a unit wants most, with a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from actmax.cli.bar import progress_bar
from actmax.cli.hyperparameters import Hyperparameters
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, UnitArgument
from actmax.cli.terminal import finish
from actmax.corpus.names import check_corpora
from actmax.errors import ActmaxError
from actmax.search.names import distinct_names
from actmax.search.settings import SearchSettings
from actmax.settings import UNRECORDED, Option, Settings, settings_of

if TYPE_CHECKING:
    from actmax.models.model import Model
    from actmax.results.maximize import MaximizeResult


@dataclass(frozen=True, kw_only=True)
class MethodSettings(Settings):
    """Which methods are run, and whether a stopped search is continued."""

    method: Annotated[tuple[str, ...], Option(metavar="NAME")] = ("soft-ascent",)
    """soft-ascent (soft), or over real tokens hybrid (text), random, exhaustive, coordinate, hotflip, gcg,
    epo, pez, gumbel, beam; give it again to compare methods."""
    resume: Annotated[bool, UNRECORDED, Option(panel="Output")] = False
    """Continue the search of a token method that was stopped in --out DIR."""


@verb("maximize", order=10)
def maximize(
    unit: UnitArgument,
    methods: MethodSettings,
    settings: SearchSettings,
    hyperparameters: Hyperparameters,
    machine: Machine,
    output: Output,
) -> None:
    """Optimise an input until a unit fires as hard as it can, and say what that shows.

    Examples:
      actmax maximize hidden_states.4:90 --restarts 10 --out runs/demo
      actmax maximize blocks.8.mlp.hook_post:1022 --positions last --minimize
      actmax maximize blocks.8.mlp.hook_post:1022 --method text --out runs/text
      actmax maximize blocks.2.mlp.hook_post:7 --method gcg --method beam --out runs/two
      actmax maximize "hidden_states.4:90 - 0.5*hidden_states.4:91" --method gcg
    """
    if methods.resume and output.out is None:
        raise ActmaxError("--resume continues the search in a folder; name it with --out DIR.")
    names = distinct_names(methods.method)
    hyperparameters.check(names)
    check_corpora(settings.corpus or ())
    output.prepare()
    opened = machine.load(quiet=output.quiet)
    given = {
        one.name: getattr(settings, one.name)
        for one in settings_of(SearchSettings)
        if getattr(settings, one.name) != one.default
    }
    search = _Search(opened, unit, methods.resume, output)
    if len(names) == 1:
        search.one(names[0], given, hyperparameters.of(names[0]))
    else:
        search.several(names, given, {name: hyperparameters.of(name) for name in names})


@dataclass(frozen=True)
class _Search:
    """One command: what is searched, and where it goes."""

    model: Model
    unit: str
    resume: bool
    output: Output

    def one(self, method: str, asked: dict[str, Any], options: dict[str, object]) -> None:
        """Run one method."""
        import actmax
        from actmax.api.journals import clear, journaled
        from actmax.api.methods import token_method, with_hyperparameters
        from actmax.cli.show.maximize import tell

        out = self.output.out
        token = token_method(method) is not None
        if self.resume and not token:
            raise ActmaxError(f"Only token methods can be resumed; run {method} again, it takes seconds.")
        folders = [out] if token and out is not None else []
        more: dict[str, Any] = {"resume": out} if folders else {}
        with (
            journaled(folders, resume=out if self.resume else None),
            progress_bar(quiet=self.output.quiet) as progress,
        ):
            result = actmax.maximize(
                self.model,
                self.unit,
                method=with_hyperparameters(method, options),
                progress=progress,
                on_step=lambda at: progress(
                    "searching", at.index, at.total, note=f"activation {at.activation:.4g}"
                ),
                **more,
                **asked,
            )
        if result.complete:
            clear(folders)
        steps = result.runs[-1].trajectory.step
        done = f"{result.cost.sequences_scored} sequences" if token else f"{steps[-1] if steps else 0} steps"
        finish(
            result,
            self.output,
            lambda screen: tell(result, quiet=screen.quiet),
            done=done,
            resume=_RESUME if token else "",
        )

    def several(self, names: list[str], asked: dict[str, Any], options: dict[str, dict[str, object]]) -> None:
        """Run several methods and compare them on one page; each has its own in the folder with its name."""
        import actmax
        from actmax.api.journals import clear, journaled
        from actmax.api.methods import token_method, with_hyperparameters
        from actmax.cli.show.maximize import tell_comparison

        out = self.output.out
        token = [name for name in names if token_method(name) is not None]
        folders: list[Path] = [] if out is None else [out / name for name in token]

        def save(result: MaximizeResult) -> None:
            if out is not None:
                result.save(out / result.method)

        with (
            journaled(folders, resume=out if self.resume else None),
            progress_bar(quiet=self.output.quiet) as progress,
        ):
            result = actmax.compare(
                self.model,
                self.unit,
                [with_hyperparameters(name, options[name]) for name in names],
                resume=out,
                progress=progress,
                on_step=lambda name, at: progress(
                    name, at.index, at.total, note=f"activation {at.activation:.4g}"
                ),
                on_result=save,
                **asked,
            )
        if result.complete:
            clear(folders)
        whole = sum(one.complete for one in result.results)
        finish(
            result,
            self.output,
            lambda screen: tell_comparison(result, quiet=screen.quiet),
            done=f"{whole} of {len(names)} methods",
            resume=_RESUME,
        )


_RESUME = "and the same command with --resume continues it"
