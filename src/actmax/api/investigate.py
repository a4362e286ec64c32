"""``actmax.investigate``: everything that is measured of one unit, from one reading and one batch of runs."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace

from actmax.api.check import described, protocol_of, windows_for
from actmax.api.provenance import manifest_of
from actmax.api.reproduce import of_optima
from actmax.api.searched import named_method, search_text
from actmax.checks.conclusion import Driven, concluded, driven, observed
from actmax.checks.intervention import Intervention, intervene
from actmax.checks.registry import descriptions
from actmax.checks.run import Battery, gather, judged, sample_of
from actmax.checks.sample import UnitSample
from actmax.checks.settings import InvestigateSettings
from actmax.checks.texts import GIVEN, SourcedText
from actmax.inputs.bos import BosPolicy
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.observation.observation import observe_unit
from actmax.progress import Progress
from actmax.results.finding import Passage
from actmax.results.investigate import InvestigateResult, Observed
from actmax.results.observed_unit import UnitObservation
from actmax.results.reproduce import ReproduceResult
from actmax.settings import keywords, provenance

_SHOWN = 10
_NOTHING = Battery((), measured=False, complete=False)


@dataclass
class _Known:
    """What is known so far."""

    intervention: Intervention | None = None
    reproduced: ReproduceResult | None = None
    battery: Battery = _NOTHING
    conclusion: tuple[str, ...] = ()

    def concluded(self, unit: str, method: str | None) -> tuple[str, ...]:
        """Three sentences; none before every check of the model is made."""
        reached, reproduced = self.intervention, self.reproduced
        if not self.battery.measured or reached is None or reproduced is None:
            return ()
        checks, text = self.battery.checks, reached.text_of(method)
        facts = Driven(
            soft=reached.soft.activation,
            steps=reached.soft.steps or 0,
            soft_ratio=reached.soft.ratio,
            peak=reached.peak,
            strong=reached.strong,
            runs=reached.soft.runs,
            verdict=reproduced.verdict,
            text=None if text is None else text.activation,
            text_ratio=None if text is None else text.ratio,
            resemblance=0.5 if text is None else text.resemblance,
        )
        return observed(unit, checks), driven(facts), concluded(checks)


@keywords(InvestigateSettings)
def investigate(model: Model, unit: str | Unit, settings: InvestigateSettings) -> InvestigateResult:
    """Observation, intervention, their agreement, reproducibility, all checks, and a conclusion.

    One reading of the corpus and one batch of soft ascents serve all parts. Once the corpus has been read
    Ctrl-C keeps what is done; the result then says that it is not complete.

    Args:
        model: from :func:`actmax.load`.
        unit: ``SITE:INDEX``.
        settings: as keyword arguments.

    Raises:
        ActmaxError: an unknown unit, corpus or method, or a setting out of range.
        KeyboardInterrupt: stopped before the corpus had been read; there is nothing to keep.
    """
    began = time.perf_counter()
    target = unit if isinstance(unit, Unit) else resolve(model, unit)
    name = named_method(settings.method)
    windows = windows_for(model, settings)
    sample = sample_of(model, target, windows, settings.seed, settings.others, settings.progress)
    known = _Known()
    try:
        _look(sample, settings, name, known)
    except KeyboardInterrupt:
        known.battery = replace(known.battery, complete=False)
    done, reached = known.battery, known.intervention
    return InvestigateResult(
        unit=target.name,
        site=target.site.name,
        index=target.index,
        model=model.name,
        seed=settings.seed,
        conclusion=known.conclusion,
        corpus=described(windows),
        seen=_seen(sample),
        soft=None if reached is None else reached.soft,
        texts=() if reached is None else reached.texts,
        agreement=() if reached is None else reached.agreement,
        pictures=() if reached is None else (reached.picture,),
        reproduced=known.reproduced,
        checks=done.checks,
        shuffled=settings.shuffled and done.complete,
        others=tuple(other.name for other in sample.others),
        settings=asdict(protocol_of(settings))
        | provenance(settings)
        | {"others": len(sample.others), "method": name},
        seconds=time.perf_counter() - began,
        manifest=manifest_of(
            model, seed=settings.seed, bos=settings.bos, corpus_sha256=windows.tokens.text_sha256
        ),
        complete=done.complete,
        methods=descriptions("investigate", "reproducibility"),
    )


def _look(sample: UnitSample, settings: InvestigateSettings, method: str | None, known: _Known) -> None:
    """Make every part, in their order.

    Raises:
        KeyboardInterrupt: stopped; what is done is in ``known``.
    """
    seed, progress, protocol = settings.seed, settings.progress, protocol_of(settings)
    began = time.perf_counter()
    material = gather(sample, seed, protocol=protocol, runs=settings.runs, progress=progress)
    known.reproduced = of_optima(
        sample.model, sample.unit, sample.others, material.optima, protocol, seed, began
    )
    found, stopped = _searched(sample, method, seed, settings.bos, progress)
    given = [SourcedText(GIVEN, text) for text in settings.text]
    material = replace(material, texts=(*given, *found))
    known.intervention = intervene(material)
    if stopped:
        raise KeyboardInterrupt
    known.battery = judged(material, shuffled=settings.shuffled, progress=progress)
    known.conclusion = known.concluded(sample.unit.name, method)


def _searched(
    sample: UnitSample, method: str | None, seed: int, bos: BosPolicy, progress: Progress
) -> tuple[list[SourcedText], bool]:
    """The text of a search over tokens, where one is asked for, and whether the user stopped it."""
    if method is None:
        return [], False
    try:
        searched = search_text(sample, method, seed=seed, bos=bos, progress=progress)
    except KeyboardInterrupt:
        return [], True
    return [searched.text], not searched.complete


def _seen(sample: UnitSample) -> Observed:
    found = observe_unit(sample.readings, 0, top=_SHOWN, context=12)
    return Observed(
        found.count,
        found.mean,
        found.std,
        found.min,
        found.max,
        found.density,
        _passages(found, "top"),
        _passages(found, "bottom"),
        tuple(winner.token for winner in found.top_tokens[:_SHOWN]),
    )


def _passages(found: UnitObservation, end: str) -> tuple[Passage, ...]:
    return tuple(
        Passage(one.activation, one.text_before, one.token, one.text_after) for one in getattr(found, end)
    )
