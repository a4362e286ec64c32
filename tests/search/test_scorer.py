"""The door to the model: its numbers are those of rows run alone, and its budget is never exceeded."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search.planted import tiny_problem
from tests.tiny import tiny_model

from actmax.inputs.tokens import TokenSpace
from actmax.models.sinks import Sinks
from actmax.models.sites import resolve
from actmax.objectives.reading import ReadingRule
from actmax.search import engine
from actmax.search.meter import BudgetSpent
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer
from actmax.search.solution import solution_of


def rows_of(
    problem: Problem, n: int = 30, parents: int = 3
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows that share beginnings of all lengths with their parents."""
    ids = problem.tokens.random(n + parents, problem.tokens.length, torch.Generator().manual_seed(1))
    base, rows, of = ids[:parents], ids[parents:], torch.arange(n) % parents
    for i in range(n):
        k = i % (problem.tokens.length + 1)
        rows[i, :k] = base[of[i], :k]
    return rows, base, of


def alone(problem: Problem, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    found = [solution_of(problem, tuple(row)) for row in rows.tolist()]
    return torch.tensor([one.activation for one in found]), torch.tensor([one.nats for one in found])


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a.float(), b.float(), rtol=1e-4, atol=5e-5, equal_nan=True)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "gpt_neo", "opt", "gpt_neox"])
@pytest.mark.parametrize("positions", ["last", "mean", "max", 2])
def test_scores_are_those_of_rows_alone(family: str, positions: str | int) -> None:
    problem = tiny_problem(family, positions=positions, suffix=" the cat", prefix="dog")
    rows, base, of = rows_of(problem)
    activation, nats = alone(problem, rows)
    for scored in (Scorer(problem).ids(rows), Scorer(problem).ids(rows, base=base, of=of)):
        assert scored.nats is None
        close(scored.activation, activation)
    for scored in (
        Scorer(problem).ids(rows, nats=True),
        Scorer(problem).ids(rows, nats=True, base=base, of=of),
    ):
        assert scored.nats is not None
        close(scored.activation, activation)
        close(scored.nats, nats)


def test_everywhere_gives_what_every_position_would() -> None:
    ids = tiny_problem().tokens.random(5, 4, torch.Generator().manual_seed(0))
    values = Scorer(tiny_problem(length=4)).ids(ids, everywhere=True, base=ids[:1]).values
    assert values is not None
    for place in range(4):
        one = Scorer(tiny_problem(length=4, positions=place)).ids(ids).activation
        assert torch.allclose(values[:, place], one, atol=1e-5, equal_nan=True)


def test_nats_without_prefix_leave_the_first_token_out() -> None:
    model = tiny_model("llama")
    problem = tiny_problem(model=model)
    bare = Problem(problem.objective, TokenSpace(model, problem.tokens.allowed, length=5))
    rows, base, of = rows_of(bare)
    logits = model.net(input_ids=rows).logits
    oracle = torch.nn.functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), rows[:, 1:], reduction="none"
    ).mean(dim=1)
    for scored in (
        Scorer(bare).ids(rows, nats=True),
        Scorer(bare).ids(rows, nats=True, base=base, of=of),
    ):
        assert scored.nats is not None
        close(scored.nats, oracle)
        close(alone(bare, rows)[1], oracle)


def test_nats_are_transformers_loss() -> None:
    problem = tiny_problem("gpt2")
    rows, _, _ = rows_of(problem, 4)
    bos = torch.full((1, 1), problem.frame.before[0])
    for row in rows:
        whole = torch.cat([bos, row[None]], dim=1)
        loss = problem.model.net(input_ids=whole, labels=whole).loss
        assert solution_of(problem, tuple(row.tolist())).nats == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_batch_size_changes_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = tiny_problem()
    rows, base, of = rows_of(problem)
    before = Scorer(problem).ids(rows, nats=True)
    monkeypatch.setattr(engine, "_TOKENS", size)
    monkeypatch.setattr(engine, "_GROUP", max(1, size // 3))
    for after in (
        Scorer(problem).ids(rows, nats=True),
        Scorer(problem).ids(rows, nats=True, base=base, of=of),
    ):
        close(after.scores, before.scores)
        assert before.nats is not None
        assert after.nats is not None
        close(after.nats, before.nats)


def test_rows_longer_and_shorter_than_their_parent() -> None:
    problem = tiny_problem(length=6, shortest=1)
    parent = problem.tokens.random(1, 4, torch.Generator().manual_seed(3))
    tail = problem.tokens.random(30, 2, torch.Generator().manual_seed(4))
    longer = torch.cat([parent.expand(30, -1), tail], dim=1)
    shorter = torch.cat([parent[:, :2].expand(30, -1), tail[:, :1]], dim=1)
    for rows in (longer, shorter, parent):
        close(Scorer(problem).ids(rows, base=parent).activation, alone(problem, rows)[0])


def test_what_is_shared_is_run_once() -> None:
    problem = tiny_problem(length=6)
    parent = problem.tokens.random(1, 6, torch.Generator().manual_seed(3))
    rows = parent.repeat(50, 1)
    rows[:, 4] = problem.tokens.allowed.ids[:50]
    scorer = Scorer(problem)
    scorer.ids(rows, base=parent)
    assert scorer.cost.sequences_scored == 50
    assert scorer.cost.forward_tokens == 1 + 6 + 50 * 2  # BOS, the parent, what comes from position 4 on
    scorer.ids(rows, base=parent)  # the parent's keys and values are still there
    assert scorer.cost.forward_tokens == 1 + 6 + 2 * 50 * 2


def test_a_beam_runs_one_token_a_row() -> None:
    problem = tiny_problem(length=4, shortest=1)
    scorer = Scorer(problem)
    rows = problem.tokens.random(5, 1, torch.Generator().manual_seed(0))
    for length in range(1, 4):
        before = scorer.cost.forward_tokens
        after = scorer.next_tokens(rows, 3)
        fresh = 2 if length == 1 else 0  # BOS, once to the logits ...
        assert scorer.cost.forward_tokens - before == 5 + (1 if fresh else 0)
        rows = torch.cat([rows, after.tokens[:, :1]], dim=1)
        scored = scorer.ids(rows, base=rows[:, :-1])
        close(scored.activation, alone(problem, rows)[0])
    assert scorer.cost.sequences_scored == 15


def test_next_tokens_are_the_models_own() -> None:
    problem = tiny_problem(reachable=False)
    rows, _, _ = rows_of(problem, 4)
    after = Scorer(problem).next_tokens(rows, 5)
    whole = torch.cat([torch.full((4, 1), problem.frame.before[0]), rows], dim=1)
    logps = problem.model.net(input_ids=whole).logits.log_softmax(dim=-1)
    oracle = logps[:, -1].masked_fill(~problem.tokens.allowed.mask, -torch.inf).topk(5)
    assert torch.equal(after.tokens, oracle.indices)
    close(after.log_probs, oracle.values)
    own = -logps[:, :-1].gather(2, rows[..., None]).sum(dim=(1, 2))
    close(after.nats, own)


@pytest.mark.parametrize("positions", ["last", "mean", "max"])
@pytest.mark.parametrize("minimize", [False, True])
def test_gradient_is_the_finite_difference(positions: str, minimize: bool) -> None:
    model = tiny_model("gpt2")
    model.net.double()  # (a model of its own)
    problem = tiny_problem(model=model, positions=positions, minimize=minimize, suffix=" cat")
    rows, _, _ = rows_of(problem, 3)
    scorer = Scorer(problem)
    slope = scorer.gradient(rows).embeds
    embeds = model.embedding[rows]
    direction = torch.randn(embeds.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    step = 1e-6
    ahead, behind = (scorer.vectors(embeds + sign * step * direction).scored.scores for sign in (1, -1))
    expected = (ahead - behind) / (2 * step)
    found = (slope.double() * direction).sum(dim=(1, 2))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_gradient_after_a_block_is_transformers() -> None:
    problem = tiny_problem()
    rows, _, _ = rows_of(problem, 3)
    site = resolve(problem.model, "blocks.0.hook_resid_post:0").site
    slope = Scorer(problem).gradient(rows, stream=site)
    assert slope.stream is not None
    whole = torch.cat([torch.tensor(problem.frame.before).expand(len(rows), -1), rows], dim=1)
    states = problem.model.net(
        inputs_embeds=problem.model.embedding[whole].requires_grad_(), output_hidden_states=True
    ).hidden_states
    (expected,) = torch.autograd.grad(states[2][:, -1, 3].sum(), states[1])
    close(slope.stream, expected[:, len(problem.frame.before) :])
    close(slope.embeds, Scorer(problem).gradient(rows).embeds)


def test_gradient_with_fluency_is_the_finite_difference() -> None:
    """In the embeddings: of the activation less the price of the cross-entropy of the same targets."""
    model = tiny_model("gpt2")
    model.net.double()  # (a model of its own)
    problem = tiny_problem(model=model, length=4)
    rows, _, _ = rows_of(problem, 2)
    price = torch.tensor([0.5, 3.0], dtype=torch.float64)
    slope = Scorer(problem).gradient(rows, price=price).embeds.double()
    embeds = model.embedding[rows]
    bos = model.embedding[torch.tensor([problem.frame.before])]

    def value(vectors: torch.Tensor) -> torch.Tensor:
        output = model.net(
            inputs_embeds=torch.cat([bos.expand(2, -1, -1), vectors], dim=1), output_hidden_states=True
        )
        logps = output.logits[:, :-1].log_softmax(dim=-1).gather(2, rows[..., None])
        total: torch.Tensor = output.hidden_states[2][:, -1, 3] + price * logps.mean(dim=(1, 2))
        return total

    direction = torch.randn(embeds.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = (value(embeds + 1e-6 * direction) - value(embeds - 1e-6 * direction)) / 2e-6
    torch.testing.assert_close((slope * direction).sum(dim=(1, 2)), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("fluency", [None, 2.0])
def test_proposals_are_the_largest_one_hot_gradients(fluency: float | None) -> None:
    problem = tiny_problem("llama")
    rows, _, _ = rows_of(problem, 3)
    price = None if fluency is None else torch.full((3,), fluency, dtype=torch.float64)
    found = Scorer(problem).proposals(rows, 10, price=price)
    bos = torch.nn.functional.one_hot(torch.tensor([problem.frame.before]), problem.model.vocab_size).float()
    one_hot = torch.nn.functional.one_hot(rows, problem.model.vocab_size).float().requires_grad_()
    whole = torch.cat([bos.expand(3, -1, -1), one_hot], dim=1)
    output = problem.model.net(inputs_embeds=whole @ problem.model.embedding, output_hidden_states=True)
    total = output.hidden_states[2][:, -1, 3]
    if fluency is not None:
        total = total + fluency * (output.logits[:, :-1].log_softmax(dim=-1) * one_hot).sum(dim=-1).mean(
            dim=1
        )
    (slope,) = torch.autograd.grad(total.sum(), one_hot)
    gain = slope - slope.gather(2, rows[..., None])
    oracle = gain.masked_fill(~problem.tokens.allowed.mask, -torch.inf).topk(10)
    torch.testing.assert_close(found.gains, oracle.values, rtol=1e-3, atol=1e-4)
    assert problem.tokens.allowed.mask[found.tokens].all()
    assert (found.tokens == oracle.indices).float().mean() > 0.95  # (ties in float32 may change places)


@settings(max_examples=25)
@given(
    budget=st.integers(1, 40),
    calls=st.lists(
        st.tuples(st.sampled_from(["ids", "proposals", "gradient", "soft"]), st.integers(1, 9)), max_size=12
    ),
)
def test_budget_is_spent_exactly_and_never_exceeded(budget: int, calls: list[tuple[str, int]]) -> None:
    problem = tiny_problem(reachable=False)
    ids = problem.tokens.random(9, 5, torch.Generator().manual_seed(0))
    scorer = Scorer(problem, budget)
    asked = 0
    for kind, n in calls:
        asked += n
        try:
            if kind == "ids":
                scorer.ids(ids[:n])
            elif kind == "proposals":
                scorer.proposals(ids[:n], 3)
            elif kind == "gradient":
                scorer.gradient(ids[:n])
            else:
                scorer.vectors(problem.model.embedding[ids[:n]])
        except BudgetSpent:
            assert asked > budget
            break
    assert scorer.cost.sequences_scored == min(asked, budget)


def test_a_cut_batch_is_kept() -> None:
    problem = tiny_problem()
    rows, _, _ = rows_of(problem)
    scorer = Scorer(problem, 7)
    with pytest.raises(BudgetSpent):
        scorer.ids(rows)
    expected = alone(problem, rows[:7])[0]
    assert scorer.archive.best is not None
    assert scorer.archive.best.ids == tuple(rows[int(expected.argmax())].tolist())


def test_masked_tokens_are_refused() -> None:
    problem = tiny_problem()
    banned = torch.tensor([[0, 1, 2, 0, 1]])
    with pytest.raises(ValueError, match="not allowed"):
        Scorer(problem).ids(banned)


def test_evaluation_keeps_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = tiny_problem()
    rows, base, of = rows_of(problem)
    seen: list[bool] = []
    original = engine.read

    def watched(*given: object, **named: object) -> object:
        seen.append(torch.is_grad_enabled())
        return original(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "read", watched)
    scorer = Scorer(problem)
    scorer.ids(rows, base=base, of=of, nats=True)
    scorer.next_tokens(rows, 2)
    assert seen
    assert not any(seen)


def test_sinks_are_no_optimum() -> None:
    """With a limit that half of the rows exceed at the last position, those rows score minus infinity."""
    plain = tiny_problem("llama")
    rows, _, _ = rows_of(plain)
    bos = torch.full((len(rows), 1), plain.frame.before[0])
    residual = plain.model.net(
        input_ids=torch.cat([bos, rows], dim=1), output_hidden_states=True
    ).hidden_states[2]
    norms = residual[:, -1].norm(dim=-1)
    limit = float(norms.median()) * 1.0001  # (the median itself is on neither side)
    unit = resolve(plain.model, "blocks.1.hook_resid_post:3")
    model = plain.model
    problem = tiny_problem(model=model)
    rule = ReadingRule(Sinks(unit.site, limit, 1.0))
    objective = problem.objective.with_first(replace(problem.reported, rule=rule))
    problem = replace(problem, objective=objective)
    scored = Scorer(problem).ids(rows)
    assert torch.equal(scored.scores.isinf(), norms > limit)
    assert torch.equal(scored.activation.isnan(), norms > limit)
    scorer = Scorer(problem)
    scorer.ids(rows)
    assert scorer.archive.best is not None
    assert scorer.archive.best.score == float(scored.scores.max())
