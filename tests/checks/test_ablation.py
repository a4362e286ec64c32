"""Ablations in batches from shared beginnings, against one plain run of the whole text for every change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from tests.tiny import tiny_model

from actmax.checks import ablation
from actmax.checks.ablation import AblationPoint, Change, beginnings, effects_of, upto
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sites import LOGITS, Site, Unit, resolve
from actmax.shapes import Acts

MODEL = tiny_model("llama")
ROWS = torch.randint(3, MODEL.vocab_size, (3, 12), generator=torch.Generator().manual_seed(0))
PLACES = ((0, 4), (1, 4), (2, 7), (0, 7), (1, 2))


def plain(model: Model, row: int, position: int, change: Change | None) -> np.ndarray:
    """Log-probabilities from the position on, of one run of the whole text."""

    def edit(value: Acts) -> Acts:
        value = value.clone()
        if change is not None:
            direction = change.unit.direction
            if direction is None:
                value[0, position, change.unit.index] += change.amount
            else:
                value[0, position] += change.amount * direction
        return value

    site = Site(LOGITS)
    edits = {} if change is None else {change.unit.site: edit}
    with torch.no_grad():
        out = read(model, [site], ids=ROWS[row : row + 1, : position + 4], edits=edits)[site]
    said: np.ndarray = torch.log_softmax(out[0, position:].double(), dim=-1).numpy()
    return said


@pytest.mark.parametrize("rows_at_once", [1, 5, 96])
def test_batches_are_what_plain_runs_give(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation, "_ROWS", rows_at_once)
    site = resolve(MODEL, "blocks.1.mlp.hook_post:0").site
    size = torch.randn(64, generator=torch.Generator().manual_seed(1))
    units = [resolve(MODEL, f"blocks.1.mlp.hook_post:{k}") for k in (3, 8)]
    units.append(Unit(site, None, "a direction", size / size.norm()))
    known = list(beginnings(MODEL, ROWS[:, :7]))
    examples = []
    for k, (row, position) in enumerate(PLACES):
        changes = tuple(Change(unit, 3.0 + k) for unit in units[: 1 + k % 3])
        after = ROWS[row, position : position + 4]
        examples.append(AblationPoint(upto(known[row], position), after, changes))
    found = effects_of(MODEL, examples)
    assert len(found) == len(PLACES)
    for (row, position), example, effect in zip(PLACES, examples, found, strict=True):
        base = plain(MODEL, row, position, None)
        for k, change in enumerate(example.changes):
            said = plain(MODEL, row, position, change)
            kl = rel_entr(np.exp(base), np.exp(said)).sum(axis=-1).mean()
            assert float(effect.kl[k]) == pytest.approx(kl, rel=1e-3, abs=1e-7)
            next_ids = ROWS[row, position + 1 : position + 4].numpy()
            steps = np.arange(3)
            rise = (base[steps, next_ids] - said[steps, next_ids]).mean()
            assert float(effect.loss[k]) == pytest.approx(rise, abs=1e-4)
            np.testing.assert_allclose(effect.gain[k].numpy(), said[0] - base[0], atol=1e-4)
            assert kl > 1e-6, "the change does something"
