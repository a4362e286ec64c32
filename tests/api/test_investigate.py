"""Check and investigate from end to end on a tiny model, their files and pages, and interruption."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
from tests.checks.planted import letters, triggered, wired
from tests.tiny import tiny_model

from actmax.api.check import check
from actmax.api.investigate import investigate
from actmax.errors import ActmaxError
from actmax.report.investigate import page
from actmax.results.check import CheckResult
from actmax.results.investigate import InvestigateResult
from actmax.results.schema import schema_of

WINDOWS = letters(documents=6)
BRIEF = {"corpus": WINDOWS, "others": 3, "steps": 3, "length": 3}
UNIT = "blocks.1.mlp.hook_pre:0"


@pytest.fixture(scope="module")
def story() -> InvestigateResult:
    return investigate(triggered("a", "b", "c"), UNIT, runs=3, method=None, text=[" d a f"], **BRIEF)  # type: ignore[arg-type]


def test_the_story_is_whole_and_its_sentences_hold_its_numbers(story: InvestigateResult) -> None:
    assert story.complete
    assert [one.name for one in story.checks] == ["one-feature", "importance", "continuity", "readability"]
    assert len(story.conclusion) == 3
    seen, done, concluded = story.conclusion
    assert "3 kinds of context" in seen
    assert f"{story.check('readability').number('detection_auc').value:.2f}" in seen
    assert story.soft is not None
    assert f"{story.soft.activation:.3g}" in done
    assert "3 runs" in done
    assert "searched" not in done
    assert concluded.startswith("What may be concluded: ")
    assert story.reproduced is not None
    assert story.reproduced.verdict in ("same point", "same subspace", "different solutions")
    given = next(text for text in story.texts if text.source == "given")
    assert given.resemblance > 0.5, "a text with the trigger resembles the strongest examples"


def test_every_number_is_explained_in_one_line_with_n_and_links_to_its_method(
    story: InvestigateResult, tmp_path: Path
) -> None:
    story.save(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert len(page) < 2_000_000
    assert story.reproduced is not None
    numbers = [*story.agreement, *story.reproduced.numbers]
    numbers += [number for one in story.checks for number in one.numbers]
    for number in numbers:
        assert number.n > 0, number.name
        assert "\n" not in number.says
        assert re.search(r"\d", number.says), number
        assert number.label in page
    targets = set(re.findall(r'href="#([\w-]+)"', page))
    assert targets <= set(re.findall(r'id="([\w-]+)"', page))
    assert page.count("#method-") >= len(numbers)
    for one in story.checks:
        assert one.numbers[0].controls, "what is judged has a control"
        assert any("weights shuffled" in control.label for control in one.numbers[0].controls)
        assert one.pictures


def test_the_file_follows_its_schema(story: InvestigateResult) -> None:
    plain = story.to_json()
    jsonschema.validate(plain, schema_of("investigate"))
    del plain["seen"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain, schema_of("investigate"))


def test_the_files_come_back(story: InvestigateResult, tmp_path: Path) -> None:
    story.save(tmp_path)
    assert InvestigateResult.load(tmp_path).to_json() == story.to_json()
    assert story.to_json()["schema"] == "actmax.investigate/1"
    assert "<svg" in story._repr_html_()


def test_check_alone_gives_the_same_checks_where_nothing_is_random(tmp_path: Path) -> None:
    result = check(triggered("a"), UNIT, shuffled=False, **BRIEF)  # type: ignore[arg-type]
    assert result.complete
    assert result.check("one-feature").number("kinds").value == 1
    assert all(one.p_shuffled is None for one in result.checks)
    jsonschema.validate(result.to_json(), schema_of("check"))
    result.save(tmp_path)
    assert CheckResult.load(tmp_path).to_json() == result.to_json()
    page = (tmp_path / "report.html").read_text()
    assert "what it would give is not known" in page
    again = check(triggered("a"), UNIT, shuffled=False, **BRIEF)  # type: ignore[arg-type]
    assert again.to_json()["checks"] == result.to_json()["checks"]


def test_the_conclusion_of_a_planted_unit_is_what_was_planted() -> None:
    """One trigger, and a text search that finds it."""
    result = investigate(wired(0.02), "blocks.1.mlp.hook_post:0", runs=2, method="text", **BRIEF)  # type: ignore[arg-type]
    seen, done, _ = result.conclusion
    assert "strongest in one kind of context, most often at “a” (100 %" in seen
    assert "simple facts about the words predict where" in seen
    found = next(text for text in result.texts if text.source == "hybrid")
    assert found.ratio is not None
    assert found.ratio > 0.9
    assert found.resemblance > 0.9
    assert f"the best text that was searched gives {found.activation:.3g}" in done
    assert "in a context like theirs" in done
    assert found.text.endswith(" a"), "it is read at the last position"
    assert result.check("readability").number("corpus_rank").value < 0.1, "few positions reach it"


def test_a_planted_unit_that_the_output_reads_stands_out_in_the_conclusion() -> None:
    settings = {**BRIEF, "others": 19}
    result = investigate(wired(0.1), "blocks.1.mlp.hook_post:0", runs=2, method=None, **settings)  # type: ignore[arg-type]
    assert "it stands out among units of its site in what ablating it does;" in result.conclusion[2]
    assert result.check("importance").answer == "important"


@pytest.mark.parametrize(
    ("stage", "checks", "soft", "reproduced"),
    [
        ("ascending", [], False, False),
        ("searching text", [], True, True),
        ("one feature", [], True, True),
        ("continuity", ["one-feature", "importance"], True, True),
        (
            "shuffled weights: observing",
            ["one-feature", "importance", "continuity", "readability"],
            True,
            True,
        ),
    ],
)
def test_ctrl_c_keeps_what_is_done(stage: str, checks: list[str], soft: bool, reproduced: bool) -> None:
    def stop(now: str, done: int, total: int | None, **rest: str) -> None:
        if now == stage:
            raise KeyboardInterrupt

    result = investigate(tiny_model(), "hidden_states.2:5", runs=2, progress=stop, **BRIEF)  # type: ignore[arg-type]
    assert not result.complete
    assert [one.name for one in result.checks] == checks
    assert result.seen is not None
    assert (result.soft is not None, result.reproduced is not None) == (soft, reproduced)
    assert bool(result.conclusion) == (len(checks) == 4), (
        "three sentences where all checks of the model are there"
    )
    assert "interrupted" in page(result).lower()


def test_ctrl_c_before_anything_is_known_keeps_nothing() -> None:
    def stop(now: str, done: int, total: int | None, **rest: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        investigate(tiny_model(), "hidden_states.2:5", runs=2, progress=stop, **BRIEF)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        check(tiny_model(), "hidden_states.2:5", progress=stop, **BRIEF)  # type: ignore[arg-type]


def test_mistakes_are_sentences() -> None:
    model = tiny_model()
    with pytest.raises(ActmaxError, match=r"others must be at least 1 \(got 0\)"):
        check(model, "hidden_states.2:5", **{**BRIEF, "others": 0})  # type: ignore[arg-type]
    with pytest.raises(ActmaxError, match="at least 2"):
        investigate(model, "hidden_states.2:5", runs=1, **BRIEF)  # type: ignore[arg-type]
    with pytest.raises(ActmaxError, match="does not search tokens"):
        check(model, "hidden_states.2:5", method="soft", **BRIEF)  # type: ignore[arg-type]
