"""Edits: what is written at a site is what the model goes on with, in every family."""

from __future__ import annotations

import pytest
import torch
from tests.tiny import FAMILY_NAMES, tiny_ids, tiny_model
from torch import Tensor

from actmax.models.model import Model
from actmax.models.read import read, read_prefix
from actmax.models.sites import EMBED, FINAL, LOGITS, Site, list_sites, resolve_site


@pytest.fixture(params=FAMILY_NAMES)
def model(request: pytest.FixtureRequest) -> Model:
    return tiny_model(request.param)


def noise(value: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return value + 3 * torch.randn(value.shape[1:], generator=generator)


def run(model: Model, site: Site, edit: object = None, path: str = "ids") -> tuple[Tensor, Tensor]:
    """The site's own value, and the logits."""
    given = {path: tiny_ids() if path == "ids" else model.embedding[tiny_ids()]}
    edits = {} if edit is None else {site: edit}
    with torch.no_grad():
        values = read(model, {site, Site(LOGITS)}, edits=edits, **given)  # type: ignore[arg-type]
    return values[site], values[Site(LOGITS)]


def test_every_site_can_be_read_and_written(model: Model) -> None:
    for name in list_sites(model):
        site = resolve_site(model, name)
        value, logits = run(model, site)
        same, unmoved = run(model, site, lambda x: x)
        assert torch.equal(value, same), name
        assert torch.equal(logits, unmoved), name
        edited, moved = run(model, site, noise)
        torch.testing.assert_close(edited, noise(value), rtol=0, atol=0)
        assert not torch.allclose(moved, logits, atol=1e-3), f"nothing rests on {name}"


def test_an_edit_of_the_embeddings_is_the_same_on_both_paths(model: Model) -> None:
    by_ids = run(model, Site(EMBED), noise)
    by_embeds = run(model, Site(EMBED), noise, "embeds")
    assert all(torch.equal(a, b) for a, b in zip(by_ids, by_embeds, strict=True))


def test_the_residual_stream_is_written_as_a_whole(model: Model) -> None:
    """Written anywhere, it is what goes on from there: into attention, MLP and skip connection alike."""
    last = model.n_blocks - 1
    pre, post = Site(f"blocks.{last}.hook_resid_pre", last), Site(f"blocks.{last}.hook_resid_post", last)
    mid, mlp = Site(f"blocks.{last}.hook_resid_mid", last), Site(f"blocks.{last}.hook_mlp_out", last)
    before = Site(f"blocks.{last - 1}.hook_resid_post", last - 1)
    sites = {pre, post, mlp, Site(FINAL)} | ({mid} if mid.name in list_sites(model) else set())
    with torch.no_grad():
        values = read(model, sites, ids=tiny_ids(), edits={before: noise})
        at_pre = read(model, sites, ids=tiny_ids(), edits={pre: noise})
    for site in sites:
        assert torch.equal(values[site], at_pre[site]), site
    if mid in sites:
        with torch.no_grad():
            at_mid = read(model, sites, ids=tiny_ids(), edits={mid: noise})
        expected = at_mid[mid] + at_mid[mlp]
        torch.testing.assert_close(at_mid[post], expected, rtol=1e-4, atol=1e-4)


def test_an_edit_after_a_prefix_sees_the_positions_after_it(model: Model) -> None:
    site = Site("blocks.1.mlp.hook_post", 1)
    prefix = read_prefix(model, [site, Site(LOGITS)], tiny_ids(1, 4))
    seen: list[tuple[int, ...]] = []

    def zero(value: Tensor) -> Tensor:
        seen.append(tuple(value.shape[:2]))
        return torch.zeros_like(value)

    with torch.no_grad():
        values = read(model, {site}, ids=tiny_ids(2, 3), prefix=prefix, edits={site: zero})
    assert seen == [(2, 3)]
    assert bool((values[site] == 0).all())


def test_an_edit_deeper_than_what_is_read_changes_nothing(model: Model) -> None:
    shallow, deep = Site("blocks.0.hook_resid_post", 0), Site("blocks.1.hook_resid_post", 1)
    with torch.no_grad():
        plain = read(model, [shallow], ids=tiny_ids())
        edited = read(model, [shallow], ids=tiny_ids(), edits={deep: noise})
    assert set(edited) == {shallow}
    assert torch.equal(plain[shallow], edited[shallow])
