"""What a check is made of.

A check is one file in :mod:`actmax.checks.assumptions`, found by :mod:`actmax.checks.registry`. The file
holds a class with the attributes and methods of :class:`Assumption`; the file's docstring is the description
that pages and documents show (Markdown; its first line is the assumption in one sentence).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, runtime_checkable

from actmax.checks.sample import UnitSample
from actmax.checks.soft_batch import Optima, SoftProtocol
from actmax.checks.texts import SourcedText
from actmax.progress import Progress
from actmax.results.finding import Number, PassageGroup, Picture

Need = Literal["examples", "optimum"]
"""``examples``: positions of real text at which the unit is strong, so a unit that never changes cannot be
measured. ``optimum``: soft optima of the unit and of the random units."""


@dataclass(frozen=True)
class Material:
    """What the checks of one unit are made from."""

    sample: UnitSample
    protocol: SoftProtocol
    seed: int
    texts: tuple[SourcedText, ...] = ()
    """Texts to judge beside the decoded soft optima."""
    brief: bool = False
    """True for the copy with shuffled weights, where the statistic is all that matters."""
    ascents: Optima | None = None
    """None where no check needs an optimum."""

    @property
    def optima(self) -> Optima:
        """The soft optima.

        Raises:
            ValueError: none were made, because the check does not list ``"optimum"`` in its ``needs``.
        """
        if self.ascents is None:
            raise ValueError('a check that reads the optima lists "optimum" in its needs')
        return self.ascents


@dataclass(frozen=True)
class Measure:
    """What a check measured for one unit on one model, before it is judged.

    The statistic is made in the same way for the unit and for random units of its site, and larger means more
    of what the check looks for.
    """

    statistic: float
    others: tuple[float, ...]
    """The statistic of random units of the site."""
    numbers: tuple[Number, ...]
    """The first is the statistic."""
    pictures: tuple[Picture, ...]
    groups: tuple[PassageGroup, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)
    """What the answer is decided by."""
    words: str = ""
    """A sentence about what was found."""
    observed: str = ""
    """A clause about the unit in real text, for the conclusion of an investigation; may be empty."""
    remark: str = ""
    """A clause that the conclusion begins with, where the standing does not say enough; mostly empty."""


@runtime_checkable
class Assumption(Protocol):
    """One check: an assumption, its measurement, and the rule that answers it."""

    name: ClassVar[str]
    """For programs and anchors: ``one-feature``."""
    assumption: ClassVar[str]
    """For people: ``One unit, one feature``."""
    subject: ClassVar[str]
    """What the conclusion calls the statistic: ``how alike its contexts are``."""
    order: ClassVar[int]
    """Checks run and are shown from the smallest."""
    needs: ClassVar[frozenset[Need]]

    def measure(self, material: Material, progress: Progress) -> Measure:
        """The unit's numbers, and the statistic of the random units.

        Raises:
            KeyboardInterrupt: the user stopped it.
        """

    def answer(self, measure: Measure, *, meaningful: bool) -> str:
        """A few words on whether the assumption holds.

        Args:
            measure: what was found.
            meaningful: whether the unit stands out among the controls (:mod:`actmax.checks.verdicts`).
        """
