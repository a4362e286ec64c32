"""A finding: a number with its control, in plain words, with a picture; the piece that checks are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Control:
    """The same number where nothing is to be found."""

    label: str
    """What it was measured on, for example ``19 random units of the same site``."""
    value: float
    """Their median, where there are several."""
    n: int
    p: float | None = None
    """Rank p-value: ``(1 + how many of the n reach the unit's number) / (1 + n)``."""


@dataclass(frozen=True)
class Number:
    """One measurement."""

    name: str
    """For programs, for example ``detection_auc``."""
    label: str
    """For people."""
    value: float
    n: int
    """How many things it is made from; ``says`` names them."""
    says: str
    """One line of plain words."""
    controls: tuple[Control, ...] = ()
    style: str = "number"
    """How it is shown: ``number``, ``percent``, ``count`` or ``cosine``."""

    def control(self, label: str) -> Control | None:
        """The control whose label begins so."""
        return next((one for one in self.controls if one.label.startswith(label)), None)


@dataclass(frozen=True)
class Series:
    """Points or a line of a picture."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    role: str = "unit"
    """``unit``, ``control``, ``shuffled`` or ``other``."""


@dataclass(frozen=True)
class Picture:
    """What a figure is drawn from."""

    kind: str
    """``lines``; ``points``; ``strips``: one row a series, one mark a value of ``x``."""
    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    says: str
    """What is seen, and what to read from it."""
    log: bool = False


@dataclass(frozen=True)
class Passage:
    """A stretch of text with the token in it that the activation belongs to."""

    activation: float
    before: str
    token: str
    after: str


@dataclass(frozen=True)
class PassageGroup:
    """Passages that belong together, or tokens with a number each."""

    title: str
    count: int
    """How many there are; fewer may be shown."""
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Description:
    """How something is measured or judged, as a page shows it."""

    name: str
    """The anchor, for example ``one-feature``."""
    title: str
    text: str
    """Markdown."""


@dataclass(frozen=True)
class Check:
    """One assumption, measured."""

    name: str
    """For programs and anchors, for example ``one-feature``."""
    assumption: str
    answer: str
    """A few words on whether the assumption holds, by the rule in the check's description."""
    standing: str
    """How the unit compares with the controls: ``stands out``, ``differs from shuffled weights``, ``like
    other units``, ``no better than shuffled weights`` or ``not compared``."""
    meaningful: bool
    """Whether the unit stands out: at most 5 % of random units do by chance."""
    p: float
    """Rank p-value of the check's first number against random units of the same site."""
    p_shuffled: float | None
    """The same against random units of a copy of the model with shuffled weights; None where not made."""
    sentence: str
    numbers: tuple[Number, ...]
    """The first is the one that is judged; empty where nothing could be measured."""
    pictures: tuple[Picture, ...]
    groups: tuple[PassageGroup, ...] = ()
    subject: str = ""
    """What the conclusion calls the first number, for example ``what ablating it does``."""
    observed: str = ""
    """What the check adds to the first sentence of an investigation; may be empty."""
    remark: str = ""
    """What the conclusion begins with, where the standing does not say enough; mostly empty."""

    def number(self, name: str) -> Number:
        """One of the numbers.

        Raises:
            KeyError: there is none of that name.
        """
        for one in self.numbers:
            if one.name == name:
                return one
        raise KeyError(name)
