"""The tables of docs/check_tables.md: every number of the investigation, for a known unit and eight drawn.

::

    python benchmarks/check_tables.py                        # docs/check_tables.md, some minutes a unit
    python benchmarks/check_tables.py --false-alarms 50      # how often chance is called meaningful

The eight units are drawn by ``--seed`` (0): one from each of eight sites over the depth of the model and the
kinds of site. Each investigation is one command (``actmax investigate UNIT``); units that are done are kept
in ``--keep`` and not made again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import actmax
from actmax.api.check import WINDOW
from actmax.api.investigate import investigate
from actmax.checks.assumption import Measure
from actmax.checks.ranks import rank_p
from actmax.checks.run import OTHERS, gather, measures, sample_of
from actmax.checks.settings import CheckSettings
from actmax.checks.shuffled import shuffled_copy
from actmax.checks.verdicts import LEVEL, standing
from actmax.corpus.corpus import DEFAULT_CORPUS, open_corpus
from actmax.corpus.windows import windows_of
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.sites import list_sites, resolve
from actmax.numbers import formatted
from actmax.results.finding import Number
from actmax.results.investigate import InvestigateResult

KNOWN = "hidden_states.4:90"
KINDS = (
    "hook_resid_post",
    "mlp.hook_post",
    "attn.hook_z",
    "mlp.hook_pre",
    "hook_attn_out",
    "mlp.hook_post",
    "hook_mlp_out",
    "hook_resid_post",
)
"""One site of each, at evenly spaced depths."""


def eight(model: Model, seed: int) -> list[str]:
    """One unit of each kind, from the first block to the last but one."""
    rng = np.random.default_rng(seed)
    widths = list_sites(model)
    units = []
    for k, kind in enumerate(KINDS):
        site = f"blocks.{k * (model.n_blocks - 2) // (len(KINDS) - 1)}.{kind}"
        units.append(f"{site}:{rng.integers(widths[site])}")
    return units


def story_of(model: Model, unit: str, seed: int, keep: Path) -> InvestigateResult:
    """The investigation of a unit, made or found."""
    folder = keep / unit.replace(":", "_")
    try:
        return InvestigateResult.load(folder)
    except ActmaxError:
        began = time.perf_counter()
        result = investigate(model, unit, seed=seed)
        result.save(folder)
        print(f"{unit}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        return result


def tables(stories: Sequence[InvestigateResult], seed: int) -> str:
    """Markdown: verdicts, then every number of every unit with its controls."""
    first = stories[0]
    lines = [
        "# What the checks say",
        "",
        f"Made by `python benchmarks/check_tables.py --seed {seed}` on {first.model} with"
        f" {first.corpus.tokens:,} tokens of {first.corpus.name} ({first.corpus.attribution}). Each unit is"
        f" compared with {len(first.others)} random units of its site and with a copy of the model with"
        f" shuffled weights. The first unit is the demo's; the others were drawn by seed {seed}."
        + (f" The first {len(stories)} of {1 + len(KINDS)} are here." if len(stories) <= len(KINDS) else "")
        + " What the words and numbers mean is in [is it true?](checks.md).",
        "",
        "| unit | "
        + " | ".join(check.assumption.lower() for check in first.checks)
        + " | same answer twice? |",
        "|---" * (len(first.checks) + 2) + "|",
    ]
    for story in stories:
        cells = [f"{check.answer}; *{check.standing}*" for check in story.checks]
        again = story.reproduced.verdict if story.reproduced else "–"
        lines.append(f"| `{story.unit}` | " + " | ".join([*cells, again]) + " |")
    lines += ["", "In words:", ""]
    lines += [f"- `{story.unit}`: {_plain(' '.join(story.conclusion))}" for story in stories]
    groups: dict[str, list[tuple[str, ...]]] = {}
    for story in stories:
        named = [("Agreement", story.agreement)]
        named += [("Reproducibility", story.reproduced.numbers)] if story.reproduced else []
        named += [(check.assumption, check.numbers) for check in story.checks]
        for title, numbers in named:
            groups.setdefault(title, []).extend((story.unit, *_row(number)) for number in numbers)
    for title, rows in groups.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| number | unit | value | n | the same elsewhere |",
            "|---|---|---|---|---|",
        ]
        order = list(dict.fromkeys(row[1] for row in rows))
        rows.sort(key=lambda row: order.index(row[1]))
        lines += [f"| {label} | `{unit}` | {value} | {n} | {rest} |" for unit, label, value, n, rest in rows]
    return "\n".join(lines) + "\n"


def _row(number: Number) -> tuple[str, str, str, str]:
    rest = "; ".join(
        f"{control.label}: {formatted(control.value, number.style)}"
        + ("" if control.p is None else f" (p = {control.p:.2g})")
        for control in number.controls
    )
    return number.label, formatted(number.value, number.style), str(number.n), rest or "–"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def false_alarms(model: Model, n: int, seed: int) -> str:
    """Of ``n`` random units of a copy with shuffled weights, how many each check calls meaningful.

    Each is judged against 19 of the others, drawn at random, and against 20 units of a second shuffled copy;
    all units of a copy share one reading and one batch of ascents.
    """
    tokens = open_corpus(DEFAULT_CORPUS, model.tokenizer, max_tokens=CheckSettings().max_tokens)
    bos = model.tokenizer.bos_token_id
    windows = windows_of(tokens, length=WINDOW, bos=bos, max_tokens=CheckSettings().max_tokens)
    found = []
    for k, others in enumerate((n + OTHERS - 1, OTHERS)):
        copied = shuffled_copy(model, seed + k)
        sample = sample_of(copied, resolve(copied, KNOWN), windows, seed + k, others)
        found.append(list(measures(gather(sample, seed + k, brief=True))))
    lines = [
        f"Of {n} random units of `{KNOWN.partition(':')[0]}` in a copy with shuffled weights, each judged"
        f" against {OTHERS} others and against {1 + OTHERS} units of another copy with shuffled weights,"
        " these were called meaningful (`stands out`):",
        "",
        f"| check | p at most 0.05 among {OTHERS} others | meaningful | share |",
        "|---|---|---|---|",
    ]
    for (check, mine), (_, control) in zip(*found, strict=True):
        ranked, called = alarms(mine, control, n, seed)
        lines.append(f"| {check.assumption} | {ranked} of {n} | {called} of {n} | {100 * called / n:.0f} % |")
    return "\n".join(lines) + "\n"


def alarms(measure: Measure, control: Measure, n: int, seed: int) -> tuple[int, int]:
    """How many of the first ``n`` units have p <= 0.05 against 19 of the rest, and how many stand out."""
    values = [measure.statistic, *measure.others]
    rng = np.random.default_rng(seed)
    ranked = called = 0
    for k in range(n):
        rest = [value for j, value in enumerate(values) if j != k]
        chosen = [rest[j] for j in rng.choice(len(rest), OTHERS, replace=False)]
        p = rank_p(values[k], chosen)
        ranked += p <= LEVEL
        p_shuffled = rank_p(values[k], [control.statistic, *control.others])
        called += standing(values[k], p, p_shuffled) == "stands out"
    return ranked, called


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, default=None, help="the first so many units")
    parser.add_argument("--keep", type=Path, default=Path("runs/check_tables"))
    parser.add_argument("--out", type=Path, default=Path("docs/check_tables.md"))
    parser.add_argument("--false-alarms", type=int, default=0, metavar="N")
    given = parser.parse_args()
    model = actmax.load()
    if given.false_alarms:
        print(false_alarms(model, given.false_alarms, given.seed))
        return
    units = [KNOWN, *eight(model, given.seed)][: given.only]
    stories = [story_of(model, unit, given.seed, given.keep) for unit in units]
    given.out.write_text(tables(stories, given.seed), encoding="utf-8")
    print(given.out)


if __name__ == "__main__":
    main()
