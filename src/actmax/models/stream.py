"""Running the model once while its sites are looked at as they come by.

:func:`actmax.models.read.read` gives the values of all sites at the end, and so holds them all. Here each
value is handed over at the moment that the model computes it, while it is still in the processor's cache,
and the model goes on; nothing is kept. The forward pass ends at the deepest site.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack

from actmax.models.derived import base_of, shown
from actmax.models.model import Model
from actmax.models.sites import LOGITS, Site, tap
from actmax.models.taps import attach
from actmax.shapes import Acts, Ids


class _Stop(Exception):  # noqa: N818 - not an error: it ends the forward pass
    """Every wanted value has come by."""


def stream(model: Model, sites: Iterable[Site], see: Callable[[Site, Acts], None], *, ids: Ids) -> None:
    """Show the values of some sites, in the order in which the model computes them.

    Args:
        model: run no deeper than the deepest site (put ``torch.inference_mode`` around).
        sites: each is shown once.
        see: receives the site and its value ``[batch, pos, width]``, which it must not change; it may hold it
            on for a while.
        ids: ``[batch, pos]``, not longer than the model's context.
    """
    asked = list(dict.fromkeys(sites))
    see = shown(model, asked, see)
    wanted = list(dict.fromkeys(base_of(model, site) for site in asked))
    logits = Site(LOGITS)
    hooked = [site for site in wanted if site != logits]
    left = len(hooked)

    def watch(site: Site) -> Callable[[Acts], None]:
        def visit(value: Acts) -> None:
            nonlocal left
            see(site, value)
            left -= 1
            if not left and logits not in wanted:
                raise _Stop

        return visit

    with ExitStack() as stack:
        for site in hooked:
            handle = attach(model, tap(model, site), (ids.shape[0], ids.shape[1]), watch(site))
            stack.callback(handle.remove)
        runner = model.net if logits in wanted else model.net.base_model
        try:
            output = runner(input_ids=ids, use_cache=False)
        except _Stop:
            return
        if logits in wanted:
            see(logits, output.logits)
