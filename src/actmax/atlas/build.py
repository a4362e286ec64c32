"""Building an atlas: one pass over the windows, saved shard by shard, resumable after any stop.

1. The settings are written, the sinks' medians among them, so that a resumed run judges as the first did.
2. Batches of windows are recorded (:mod:`actmax.observation.recorder`). A shard ends at the first batch after
   ``save_every`` seconds: everything so far replaces the last state in one rename. As summaries do not
   depend on how the windows are split, it makes no difference where a run was stopped.
3. At the end the tables are written (:mod:`actmax.atlas.tables`), the manifest last; then the state
   is removed.

A SIGKILL at any moment loses what came after the last shard, and the resumed run ends with the same bytes as
one that was never stopped (on the same machine and number of threads: float32 matrix products differ between
machines).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch

from actmax.atlas.state import (
    check_same,
    clean,
    found_settings,
    read_state,
    write_building,
    write_state,
)
from actmax.atlas.tables import write_tables
from actmax.corpus.reading import batches_of
from actmax.corpus.sinks import calibrate, nothing_left
from actmax.corpus.windows import Windows
from actmax.errors import ActmaxError, Interrupted, nearest
from actmax.models.model import Model
from actmax.models.sinks import Sinks, residuals_of
from actmax.models.sites import Site, list_sites, resolve_site
from actmax.observation.recorder import AT_ONCE, Recorder, recorder, recorder_of
from actmax.observation.summary import EVERY
from actmax.progress import Progress, silent

KINDS = (
    "mlp.hook_post",
    "hook_resid_post",
    "attn.hook_q",
    "attn.hook_k",
    "attn.hook_v",
    "attn.hook_z",
    "hook_attn_out",
    "hook_mlp_out",
)
"""What is recorded in every block unless patterns say otherwise."""
SAVE_EVERY = 120.0


@dataclass(frozen=True)
class AtlasSettings:
    """What is recorded of each unit, and of which units."""

    sites: tuple[str, ...] = ()
    """Patterns of site names such as ``blocks.3.*``; empty for :data:`KINDS` in all blocks."""
    top: int = 20
    """The number of documents at either end, each with its strongest position."""
    context: int = 32
    """Tokens of text on either side of an example."""
    include_sinks: bool = False


def matching_sites(model: Model, patterns: Sequence[str]) -> tuple[Site, ...]:
    """The sites that any pattern matches (``*``, ``?``), in the order of the forward pass.

    Raises:
        ActmaxError: a pattern matches nothing.
    """
    known = list(list_sites(model))
    if not patterns:
        patterns = [f"blocks.*.{kind}" for kind in KINDS]
    chosen: set[str] = set()
    for pattern in patterns:
        found = {name for name in known if fnmatchcase(name, pattern)}
        if not found:
            raise ActmaxError(
                f"No site of {model.name} matches {pattern!r}; the nearest are {nearest(pattern, known)}."
            )
        chosen |= found
    return tuple(resolve_site(model, name) for name in known if name in chosen)


def build_atlas(
    model: Model,
    windows: Windows,
    folder: Path,
    settings: AtlasSettings | None = None,
    *,
    resume: bool = False,
    save_every: float = SAVE_EVERY,
    progress: Progress = silent,
) -> Path:
    """Record all units of some sites over a corpus.

    Args:
        model: in eval mode.
        windows: the corpus, cut (:func:`actmax.corpus.windows.windows_of`).
        folder: where the atlas goes; made where missing.
        settings: what is recorded.
        resume: go on with what is in ``folder``; a finished atlas of the same settings is left as it is.
        save_every: seconds between shards.
        progress: called with the tokens read (``"recording"``), and for the tables.

    Returns:
        ``folder``.

    Raises:
        ActmaxError: ``folder`` holds an atlas and ``resume`` is off, or one of another model, corpus or
            setting; a bad setting; every position is left out; the disk is full.
        Interrupted: Ctrl-C; what was done is saved.
    """
    settings = settings or AtlasSettings()
    if settings.top < 1 or settings.context < 0:
        raise ActmaxError("An atlas keeps at least one example (--top 1) with no less than --context 0.")
    if windows.length > model.context:
        raise ActmaxError(
            f"Windows of {windows.length} positions are longer than what {model.name} reads"
            f" ({model.context}); use --window {model.context} or less."
        )
    sites = matching_sites(model, settings.sites)
    identity = _identity(model, windows, sites, settings)
    there = found_settings(folder)
    if there is not None:
        if not resume:
            raise ActmaxError(
                f"{str(folder)!r} already holds an atlas; give --resume to go on with it, or another folder."
            )
        check_same(folder, there[0], identity)
        if there[1]:
            clean(folder)
            return folder
        medians = there[0]["medians"]
    else:
        medians = _medians(model, windows, sites, settings, progress)
        write_building(folder, identity | {"medians": medians})
    rule = None
    if medians is not None:
        depths = ((resolve_site(model, name), median) for name, median in medians.items())
        rule = {site: Sinks(site, median) for site, median in depths}
    saved = read_state(folder)
    done = 0
    if saved is None:
        recording = recorder(model, sites, rule, top=settings.top)
    else:
        recording, done = recorder_of(model, sites, rule, saved[0]), saved[1]
    _record(recording, windows, folder, done, save_every, progress)
    if any(summary.moments.count == 0 for summary in recording.summaries.values()):
        clean(folder)
        raise nothing_left(windows.tokens.name)
    write_tables(folder, model, windows, recording, identity | {"medians": medians}, progress)
    clean(folder)
    return folder


def _record(
    recording: Recorder, windows: Windows, folder: Path, done: int, save_every: float, progress: Progress
) -> None:
    with _ctrl_c() as stopped:
        last = time.monotonic()
        for rows, batch in batches_of(windows, AT_ONCE, progress, "recording", done):
            recording.record(batch)
            if time.monotonic() - last >= save_every or stopped.is_set() or rows.stop == windows.n_windows:
                write_state(folder, recording.state(), rows.stop)
                last = time.monotonic()
            if stopped.is_set():
                raise Interrupted(
                    f"Stopped after {rows.stop} of {windows.n_windows} windows; what was done is saved in"
                    f" {str(folder)!r}, and --resume goes on."
                )


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """Ctrl-C sets the event instead of tearing a batch apart; a second one stops at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def ask(number: int, frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def _medians(
    model: Model, windows: Windows, sites: tuple[Site, ...], settings: AtlasSettings, progress: Progress
) -> dict[str, float] | None:
    if settings.include_sinks:
        return None
    progress("measuring residual norms", 0, None)
    rule = calibrate(model, windows, residuals_of(model, sites))
    return {site.name: rule[site].median for site in residuals_of(model, sites)}


def _identity(
    model: Model, windows: Windows, sites: tuple[Site, ...], settings: AtlasSettings
) -> dict[str, Any]:
    """Everything that has to be equal for a run to continue the work of another."""
    return {
        "model": model.name,
        "weights": model.source.sha256 or model.source.revision,
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": model.device.type,
        "threads": torch.get_num_threads(),
        "text_sha256": windows.tokens.text_sha256,
        "windows_sha256": windows.sha256,
        "sites": [site.name for site in sites],
        "top": settings.top,
        "context": settings.context,
        "include_sinks": settings.include_sinks,
        "histogram_every": EVERY,
        "windows_at_once": AT_ONCE,
    }
