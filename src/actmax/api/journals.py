"""The journals of token searches in an output folder: begun, found again, and gone when a search is done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from actmax.errors import ActmaxError


def journals_in(folders: Sequence[Path]) -> list[Path]:
    """Those of the searches that write into these folders."""
    from actmax.search.journal import NAME
    from actmax.search.run import position_folder

    names = ("", position_folder(Path(), 0).name.replace("0", "*"))
    return [
        path for folder in folders for name in names for path in sorted(folder.glob(str(Path(name) / NAME)))
    ]


def clear(folders: Sequence[Path]) -> None:
    """Remove the journals, and the positions' folders with them."""
    for path in journals_in(folders):
        path.unlink(missing_ok=True)
        if path.parent not in folders:
            _remove_if_empty(path.parent)


@contextlib.contextmanager
def journaled(folders: Sequence[Path], *, resume: Path | None) -> Iterator[None]:
    """Searches that keep journals in ``folders`` while the body runs.

    Without ``resume`` they begin anew: what an earlier search left there goes. A mistake that ends the body
    leaves no journal and no folder that was not there before; an interruption leaves the journals.

    Raises:
        ActmaxError: ``resume`` is given and none of the folders has a journal.
    """
    if resume is not None and not journals_in(folders):
        raise ActmaxError(f"There is no search to resume in {str(resume)!r}; leave --resume out.")
    if resume is None:
        clear(folders)
    places = [place for folder in folders for place in (folder, *folder.parents)]
    made = [place for place in dict.fromkeys(places) if not place.exists()]
    try:
        yield
    except ActmaxError:
        if resume is None:
            clear(folders)
            for place in sorted(made, key=lambda place: -len(place.parts)):
                _remove_if_empty(place)
        raise


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
