"""Tokens after the first block, and what they promise there: against transformers' own hidden states."""

from __future__ import annotations

import pytest
import torch
from tests.search.planted import tiny_problem

from actmax.search.after_block import AfterBlock, after_first_block
from actmax.search.meter import Meter
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer


def made(problem: Problem, most: int = 40) -> tuple[AfterBlock, Meter]:
    meter = Meter()
    block = after_first_block(problem, meter, torch.Generator().manual_seed(0), most)
    assert block is not None
    return block, meter


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_vectors_are_those_of_single_tokens_after_bos(family: str) -> None:
    problem = tiny_problem(family)
    block, meter = made(problem)
    whole = torch.cat([torch.full((40, 1), problem.frame.before[0]), block.ids[:, None]], dim=1)
    oracle = problem.model.net(input_ids=whole, output_hidden_states=True).hidden_states[1][:, 1]
    torch.testing.assert_close(block.vectors, oracle.detach(), rtol=1e-4, atol=1e-5)
    assert bool(problem.tokens.allowed.mask[block.ids].all())
    assert len(set(block.ids.tolist())) == 40
    assert meter.cost.forward_tokens == 41
    assert meter.cost.sequences_scored == 0


def test_all_allowed_tokens_where_there_are_few() -> None:
    problem = tiny_problem()
    assert torch.equal(made(problem, 10**6)[0].ids, problem.tokens.allowed.ids)


@pytest.mark.parametrize("unit", ["blocks.0.mlp.hook_post:1", "blocks.0.hook_resid_post:1", "hook_embed:1"])
def test_none_where_the_unit_reads_nothing_after_the_first_block(unit: str) -> None:
    problem = tiny_problem(unit=unit)
    assert after_first_block(problem, Meter(), torch.Generator(), 40) is None


def test_a_small_budget_is_not_spent_on_it() -> None:
    few = after_first_block(tiny_problem(), Meter(3), torch.Generator(), 40)
    assert few is not None
    assert len(few.ids) == 18


@pytest.mark.parametrize("fluency", [None, 2.0])
@pytest.mark.parametrize("suffix", ["", " cat"])
def test_proposals_after_a_block_are_the_largest_gradients_there(fluency: float | None, suffix: str) -> None:
    problem = tiny_problem(suffix=suffix)
    block, _ = made(problem)
    rows = problem.tokens.random(3, 5, torch.Generator().manual_seed(1))
    price = None if fluency is None else torch.full((3,), fluency, dtype=torch.float64)
    found = Scorer(problem).proposals(rows, 4, price=price, block=block)

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
    gain = torch.einsum("bpd,bpvd->bpv", slope[:, 1:6], block.vectors - stream[:, 1:6, None])
    if fluency is not None:
        gain += fluency / 5 * (logps[..., block.ids] - logps.gather(2, rows[..., None])).detach()
    oracle = gain.topk(4)
    torch.testing.assert_close(found.gains[..., 1::2], oracle.values, rtol=1e-3, atol=1e-4)
    assert torch.equal(found.tokens[..., 1::2], block.ids[oracle.indices])
    plain = Scorer(problem).proposals(rows, 4, price=price)
    assert torch.equal(found.tokens[..., 0::2], plain.tokens)
