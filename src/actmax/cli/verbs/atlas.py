"""``actmax atlas``: every unit of a model over a corpus, on disk."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from annotated_types import Ge

from actmax.atlas.settings import BuildSettings
from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Reply, Seed
from actmax.cli.terminal import console, emit_json
from actmax.corpus.names import check_corpora
from actmax.settings import Option, Settings

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The atlas's folder.")]


@verb("atlas build", order=30, help="Record every unit of a model over a corpus, and look units up.")
def build(
    folder: FolderArgument, settings: BuildSettings, machine: Machine, seed: Seed, reply: Reply
) -> None:
    """Record the strongest examples and statistics of every unit, in one pass.

    Ctrl-C saves what was done; --resume continues, also after a crash.

    Examples:
      actmax atlas build atlas
      actmax atlas build atlas --resume
      actmax atlas build small --sites 'blocks.8.mlp.hook_post' --max-tokens 50000
    """
    from actmax.results.store import prepare_out

    check_corpora(settings.corpus)
    prepare_out(folder)
    opened = machine.load(quiet=reply.quiet)
    from actmax.api.atlas import atlas_of
    from actmax.cli.show.atlas import show_build

    with progress_bar(quiet=reply.quiet) as progress:
        manifest = atlas_of(opened, folder, settings, progress).manifest
    if reply.json:
        emit_json(manifest)
    else:
        show_build(manifest, folder, console(json=reply.json, quiet=reply.quiet))


@verb("atlas show", order=31)
def show(
    folder: FolderArgument,
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="Such as blocks.8.mlp.hook_post:1022.")],
    reply: Reply,
) -> None:
    """Show a unit's statistics and strongest examples.

    Example:
      actmax atlas show atlas blocks.8.mlp.hook_post:1022
    """
    from actmax.api.atlas import open_atlas
    from actmax.cli.show.atlas import show_unit

    atlas = open_atlas(folder)
    found = atlas.unit(unit)
    if reply.json:
        plain: dict[str, Any] = asdict(found)
        plain["percentiles"] = {f"{percent:g}": value for percent, value in found.percentiles.items()}
        emit_json({"schema": "actmax.atlas-unit/1", "model": atlas.manifest["model"], **plain})
    else:
        show_unit(found, atlas.manifest, console(json=reply.json, quiet=reply.quiet))


@dataclass(frozen=True, kw_only=True)
class FindSettings(Settings):
    """What is looked for in an atlas."""

    text: Annotated[str, Option(metavar="REGEX")]
    """What the token at the peak has to match."""
    bottom: bool = False
    """Look at the weakest examples instead."""
    limit: Annotated[int, Ge(1)] = 50
    """Units to list."""


@verb("atlas find", order=32)
def find(folder: FolderArgument, settings: FindSettings, reply: Reply) -> None:
    """Find units whose strongest examples are at tokens that match.

    Examples:
      actmax atlas find atlas --text '^ ?[0-9]+$'
      actmax atlas find atlas --text '(?i)war'
    """
    from actmax.api.atlas import open_atlas
    from actmax.cli.show.atlas import show_found

    end: Literal["top", "bottom"] = "bottom" if settings.bottom else "top"
    found = open_atlas(folder).find(settings.text, end=end, limit=settings.limit)
    if reply.json:
        rows = [asdict(one) for one in found]
        emit_json({"schema": "actmax.atlas-find/1", "text": settings.text, "units": rows})
    else:
        show_found(found, console(json=reply.json, quiet=reply.quiet))
