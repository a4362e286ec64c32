"""``actmax select``: which units tell two kinds of text apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output
from actmax.cli.terminal import console, emit_json, finish
from actmax.corpus.names import check_corpora
from actmax.errors import ActmaxError
from actmax.selectivity.settings import SelectSettings
from actmax.settings import UNRECORDED, Option, Settings

if TYPE_CHECKING:
    from actmax.results.select import SelectResult


@dataclass(frozen=True, kw_only=True)
class GroupSettings(Settings):
    """What is compared."""

    a: Annotated[str | None, Option(metavar="GROUP")] = None
    """A name (see --list), words:a,b,c, regex:PATTERN, length:7, or FILE[#LABEL]."""
    b: Annotated[str | None, Option(metavar="GROUP")] = None
    """What it is compared with; may be left out where --a is a file with two labels."""
    second_a: Annotated[str | None, Option(panel="Statistics", metavar="GROUP")] = None
    """Validate on this and --second-b."""
    second_b: Annotated[str | None, Option(panel="Statistics", metavar="GROUP")] = None
    """See --second-a."""
    save_activations: Annotated[bool, UNRECORDED, Option(panel="Output")] = False
    """Also write all activations into --out."""
    list: Annotated[bool, UNRECORDED] = False
    """Name the groups that come with actmax."""

    @property
    def second(self) -> tuple[str, str] | None:
        """The second pair of groups."""
        return None if self.second_a is None or self.second_b is None else (self.second_a, self.second_b)

    def check_given(self, output: Output) -> str:
        """The first group; a mistake in what was given together is a sentence."""
        if self.a is None:
            raise ActmaxError("Name a group with --a; `actmax select --list` names those that there are.")
        if (self.second_a is None) != (self.second_b is None):
            raise ActmaxError("A second set has two groups; give both --second-a and --second-b.")
        if self.save_activations and output.out is None:
            raise ActmaxError("Activations are written into a folder; name it with --out.")
        return self.a


@verb("select", order=70)
def select(groups: GroupSettings, settings: SelectSettings, machine: Machine, output: Output) -> None:
    """Find the units that tell two kinds of text apart.

    Examples:
      actmax select --a negation --b affirmation --out runs/negation
      actmax select --a nouns --b verbs --sites blocks.8.mlp.hook_pre --correction bonferroni
      actmax select --a proper-nouns --b lower-case --sites "hidden_states.*"
      actmax select --a reviews.csv --test logistic
    """
    if groups.list:
        _list_groups(output)
        return
    first = groups.check_given(output)
    names = None if list(settings.corpus) == ["none"] else settings.corpus
    check_corpora(names or ())
    output.prepare()
    opened = machine.load(quiet=output.quiet)
    import actmax.api.select as api
    from actmax.cli.show.select import show_selected

    given = vars(settings) | {"corpus": names}
    with progress_bar(quiet=output.quiet) as progress:
        result: SelectResult = api.select(
            opened,
            first,
            groups.b,
            second=groups.second,
            activations=output.out if groups.save_activations else None,
            progress=progress,
            **given,
        )
    read = result.a.samples + result.b.samples
    finish(result, output, lambda screen: show_selected(result, screen, output.out), done=f"{read} samples")


def _list_groups(output: Output) -> None:
    from rich.table import Table

    from actmax.api.select import BUILT_IN

    if output.json:
        emit_json(
            [{"name": name, "meaning": g.meaning, "usual_partner": g.partner} for name, g in BUILT_IN.items()]
        )
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("group", "what it is", "usually against"):
        table.add_column(head)
    for name, group in BUILT_IN.items():
        table.add_row(name, group.meaning, group.partner)
    screen = console(json=output.json, quiet=output.quiet)
    screen.print(table)
    screen.print("\nAlso: words:a,b,c · regex:PATTERN · length:7, length:3-5, length:8- · FILE, FILE#LABEL")
