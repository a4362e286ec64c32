"""Settings are said once: options, arguments and provenance come from one dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, assert_type

import pytest
from annotated_types import Ge, Gt, Interval

from actmax.errors import ActmaxError, SettingError
from actmax.settings import (
    INTERNAL,
    UNRECORDED,
    Option,
    Settings,
    from_text,
    keywords,
    provenance,
    settings_of,
)

Metric = Literal["cosine", "l2", "dot"]


@dataclass(frozen=True, kw_only=True)
class Base(Settings):
    seed: Annotated[int, Ge(0)] = 0
    """Seed of everything
    random."""


@dataclass(frozen=True, kw_only=True)
class Near(Base):
    """Settings with a field of each kind."""

    top: Annotated[int, Ge(1), Option(panel="Lists")] = 20
    """Tokens to list."""
    metric: Metric = "cosine"
    """How near two vectors are."""
    share: Annotated[float, Interval(gt=0, le=1)] = 0.5
    rate: Annotated[float | None, Gt(0)] = None
    positions: Literal["mean", "last"] | int = "mean"
    corpus: str | Sequence[str] = ("wikipedia-excerpt",)
    exact: bool = False
    out: Annotated[Path | None, UNRECORDED] = None
    hook: Annotated[Callable[[], None] | None, INTERNAL] = None


@keywords(Near)
def near(model: str, unit: str, settings: Near) -> tuple[str, str, Near]:
    """The tokens nearest to a unit."""
    return model, unit, settings


def test_a_field_says_its_name_type_default_range_and_meaning() -> None:
    by_name = {one.name: one for one in settings_of(Near)}
    assert list(by_name)[:3] == ["seed", "top", "metric"]
    assert by_name["seed"].doc == "Seed of everything random."
    assert by_name["top"].doc == "Tokens to list."
    assert by_name["top"].option.panel == "Lists"
    assert by_name["metric"].choices == ("cosine", "l2", "dot")
    assert by_name["positions"].choices == ()
    assert by_name["positions"].words == ("mean", "last")
    assert by_name["corpus"].many
    assert by_name["exact"].is_flag
    assert by_name["rate"].optional
    assert by_name["out"].flag == "--out"


@pytest.mark.parametrize(
    ("given", "sentence", "option"),
    [
        ({"top": 0}, "top must be at least 1 (got 0)", "--top must be at least 1 (got 0)"),
        ({"share": 1.5}, "share must be more than 0 and at most 1 (got 1.5)", None),
        ({"share": 0.0}, "share must be more than 0 and at most 1 (got 0.0)", None),
        ({"share": float("nan")}, "share must be a finite number (got nan)", None),
        ({"rate": -1.0}, "rate must be more than 0 (got -1.0)", None),
        ({"seed": -1}, "seed must be at least 0 (got -1)", None),
    ],
)
def test_ranges_are_checked_wherever_an_object_is_made(
    given: dict[str, float], sentence: str, option: str | None
) -> None:
    for make in (Near, lambda **kw: near("m", "u", **kw)):
        with pytest.raises(SettingError) as refused:
            make(**given)  # type: ignore[arg-type]
        assert str(refused.value) == sentence
        assert refused.value.for_command_line == (option or f"--{sentence}")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"metric": "x"}, "Unknown metric 'x'; choose cosine, l2 or dot"),
        ({"top": "many"}, "top must be a whole number (got 'many')"),
        ({"top": True}, "top must be a whole number (got True)"),
        ({"top": None}, "top must be a whole number (got None)"),
        ({"exact": 1}, "exact must be true or false (got 1)"),
        ({"positions": "first"}, "Unknown positions 'first'; choose mean, last or a whole number"),
        ({"tops": 3}, "near has no setting 'tops'; the nearest are top, corpus, positions."),
    ],
)
def test_a_wrong_value_is_a_sentence(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ActmaxError) as refused:
        near("m", "u", **given)  # type: ignore[arg-type]
    assert str(refused.value) == sentence


def test_arguments_become_the_object_and_the_signature_shows_them() -> None:
    model, unit, made = near("m", "u", top=3, metric="dot")
    assert (model, unit, made) == ("m", "u", Near(top=3, metric="dot"))
    shown = inspect.signature(near)
    assert list(shown.parameters)[:5] == ["model", "unit", "seed", "top", "metric"]
    assert shown.parameters["top"].default == 20
    assert near.__doc__ is not None
    assert "    top: Tokens to list." in near.__doc__


def test_provenance_leaves_out_what_is_no_setting_of_the_work() -> None:
    assert provenance(Near(corpus=["a.txt"], out=Path("x"))) == {
        "seed": 0,
        "top": 20,
        "metric": "cosine",
        "share": 0.5,
        "rate": None,
        "positions": "mean",
        "corpus": ["a.txt"],
        "exact": False,
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("top", "7", 7),
        ("share", "0.25", 0.25),
        ("rate", "none", None),
        ("positions", "3", 3),
        ("positions", "last", "last"),
        ("corpus", "a.txt", "a.txt"),
        ("exact", "true", True),
        ("out", "x", Path("x")),
    ],
)
def test_text_from_the_command_line_becomes_a_value(name: str, text: str, value: object) -> None:
    setting = next(one for one in settings_of(Near) if one.name == name)
    assert from_text(setting, text) == value


def test_text_of_another_kind_is_a_sentence() -> None:
    setting = next(one for one in settings_of(Near) if one.name == "top")
    with pytest.raises(SettingError) as refused:
        from_text(setting, "7.5")
    assert refused.value.for_command_line == "--top must be a whole number (got '7.5')"


def test_a_type_checker_sees_the_arguments() -> None:
    """mypy, which is strict about ignores that are not needed, is what tests this."""
    assert_type(near("m", "u", top=3), tuple[str, str, Near])
    with pytest.raises(ActmaxError):
        near("m", "u", tops=3)  # type: ignore[call-arg]
    with pytest.raises(ActmaxError):
        near("m", "u", top="3")  # type: ignore[arg-type]
