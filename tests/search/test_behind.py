"""Tokens behind the first block, and what they promise there: against transformers' own hidden states."""

from __future__ import annotations

import pytest
import torch
from tests.search.planted import tiny_problem

from actmax.search.behind import Behind, behind_first_block
from actmax.search.meter import Budget, Meter
from actmax.search.text_method import TextProblem
from actmax.search.text_scorer import TextScorer


def made(problem: TextProblem, most: int = 40) -> tuple[Behind, Meter]:
    meter = Meter()
    behind = behind_first_block(problem, meter, torch.Generator().manual_seed(0), most)
    assert behind is not None
    return behind, meter


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_vectors_are_those_of_single_tokens_after_bos(family: str) -> None:
    problem = tiny_problem(family)
    behind, meter = made(problem)
    whole = torch.cat([torch.full((40, 1), problem.frame.before[0]), behind.ids[:, None]], dim=1)
    oracle = problem.model.net(input_ids=whole, output_hidden_states=True).hidden_states[1][:, 1]
    torch.testing.assert_close(behind.vectors, oracle.detach(), rtol=1e-4, atol=1e-5)
    assert bool(problem.allowed.mask[behind.ids].all())
    assert len(set(behind.ids.tolist())) == 40
    assert meter.cost.forward_tokens == 41
    assert meter.cost.sequences_scored == 0


def test_all_allowed_tokens_where_there_are_few() -> None:
    problem = tiny_problem()
    assert torch.equal(made(problem, 10**6)[0].ids, problem.allowed.ids)


@pytest.mark.parametrize("unit", ["blocks.0.mlp.hook_post:1", "blocks.0.hook_resid_post:1", "hook_embed:1"])
def test_none_where_the_unit_reads_nothing_behind_the_first_block(unit: str) -> None:
    problem = tiny_problem(unit=unit)
    assert behind_first_block(problem, Meter(), torch.Generator(), 40) is None


def test_a_small_budget_is_not_spent_on_it() -> None:
    meter = Meter(Budget(forward_tokens=20))
    few = behind_first_block(tiny_problem(), meter, torch.Generator(), 40)
    assert few is not None
    assert len(few.ids) == 4
    assert meter.cost.forward_tokens == 5
    assert behind_first_block(tiny_problem(), Meter(Budget(forward_tokens=7)), torch.Generator(), 40) is None
    few = behind_first_block(tiny_problem(), Meter(Budget(sequences=3)), torch.Generator(), 40)
    assert few is not None
    assert len(few.ids) == 18


@pytest.mark.parametrize("fluency", [None, 2.0])
@pytest.mark.parametrize("suffix", ["", " cat"])
def test_proposals_behind_are_the_largest_gradients_there(fluency: float | None, suffix: str) -> None:
    problem = tiny_problem(suffix=suffix)
    behind, _ = made(problem)
    rows = problem.tokens.random(3, 5, torch.Generator().manual_seed(1))
    price = None if fluency is None else torch.full((3,), fluency, dtype=torch.float64)
    found = TextScorer(problem).proposals(rows, 4, fluency=price, behind=behind)

    bos, end = torch.tensor(problem.frame.before), torch.tensor(problem.frame.after, dtype=torch.long)
    whole = torch.cat([bos.expand(3, -1), rows, end.expand(3, -1)], dim=1)
    with torch.enable_grad():
        embeds = problem.model.embedding[whole].detach().requires_grad_()
        output = problem.model.net(inputs_embeds=embeds, output_hidden_states=True)
        total = output.hidden_states[2][:, -1, 3]
        logps = output.logits[:, :5].log_softmax(dim=-1)
        if fluency is not None:
            total = total + fluency * logps.gather(2, rows[..., None]).mean(dim=(1, 2))
        (slope,) = torch.autograd.grad(total.sum(), output.hidden_states[1])
    stream = output.hidden_states[1].detach()
    gain = torch.einsum("bpd,bpvd->bpv", slope[:, 1:6], behind.vectors - stream[:, 1:6, None])
    if fluency is not None:
        gain += fluency / 5 * (logps[..., behind.ids] - logps.gather(2, rows[..., None])).detach()
    oracle = gain.topk(4)
    torch.testing.assert_close(found.gains[..., 1::2], oracle.values, rtol=1e-3, atol=1e-4)
    assert torch.equal(found.tokens[..., 1::2], behind.ids[oracle.indices])
    plain = TextScorer(problem).proposals(rows, 4, fluency=price)
    assert torch.equal(found.tokens[..., 0::2], plain.tokens)
