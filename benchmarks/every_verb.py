"""Every verb of actmax with the options that change its numbers, small enough to run on one core.

Each part is one or more command lines that run in one folder. Nothing of actmax is imported: what is run is
the command line of a checkout (see ``same_numbers.py``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

RESIDUAL, NEURON, LOGIT = "hidden_states.4:90", "blocks.12.mlp.hook_post:1022", "unembed.hook_logits:7042"
QUERY, EARLY = "blocks.6.attn.hook_q.3:7", "blocks.2.mlp.hook_post:7"
METHODS = ("hybrid", "random", "exhaustive", "coordinate", "hotflip", "gcg", "epo", "pez", "gumbel", "beam")
CORPUS = "corpus.jsonl"


@dataclass(frozen=True)
class Part:
    """Some command lines that run in one folder, one after another."""

    name: str
    commands: tuple[tuple[str, ...], ...]


def command(text: str, *more: str) -> tuple[str, ...]:
    """A command line: words at spaces, then arguments that hold spaces themselves."""
    return (*text.split(), *more)


def parts() -> list[Part]:
    """Everything that is run."""
    return [
        *soft_parts(),
        *text_parts(),
        *variant_parts(),
        *corpus_parts(),
        *judging_parts(),
        *select_parts(),
    ]


def soft_parts() -> Iterator[Part]:
    """Soft ascent: by default and with every option that changes its numbers."""
    small = "--steps 25 --restarts 2 --out out --quiet"
    variants: dict[str, tuple[str, tuple[str, ...]]] = {
        "default": (RESIDUAL, ()),
        "minimize": (RESIDUAL, ("--minimize",)),
        "last": (RESIDUAL, ("--positions", "last")),
        "max": (RESIDUAL, ("--positions", "max")),
        "init-text": (RESIDUAL, ("--init-text", "The river ran past the old mill.")),
        "shell": (RESIDUAL, ("--shell",)),
        "shell-penalty": (RESIDUAL, ("--shell-penalty", "0.1", "--lr", "0.01", "--l2", "0.001")),
        "also": (RESIDUAL, ("--also", "-0.5*hidden_states.4:91", "--also", f"0.25*{EARLY}")),
        "l2": (RESIDUAL, ("--nearest", "l2", "--length", "3")),
        "dot": (RESIDUAL, ("--nearest", "dot", "--seed", "3")),
        "bos": (RESIDUAL, ("--bos", "always")),
        "corpus": (RESIDUAL, ("--corpus", CORPUS)),
        "neuron": (NEURON, ("--positions", "last")),
        "query": (QUERY, ()),
        "logit": (LOGIT, ("--positions", "last")),
    }
    for name, (unit, more) in variants.items():
        yield Part(f"soft-{name}", (command(f"maximize {unit} {small}", *more),))
    yield Part("soft-500", (command(f"maximize {RESIDUAL} --out out --quiet"),))


def text_parts() -> Iterator[Part]:
    """Every method over tokens, on three units."""
    for method in METHODS:
        for name, unit in (("residual", RESIDUAL), ("neuron", NEURON), ("query", QUERY)):
            length, budget = (1, 600) if method == "exhaustive" else (6, 160)
            words = f"maximize {unit} --method {method} --length {length} --budget {budget}"
            yield Part(f"text-{method}-{name}", (command(f"{words} --corpus {CORPUS} --out out --quiet"),))


def variant_parts() -> Iterator[Part]:
    """Token search with each option that changes what it searches for."""
    variants: dict[str, tuple[str, ...]] = {
        "minimize-also": ("hybrid", "--minimize", "--also", "-0.5*blocks.2.mlp.hook_post:8"),
        "cross-entropy": ("hybrid", "--max-cross-entropy", "6"),
        "cross-entropy-beam": ("beam", "--max-cross-entropy", "6"),
        "fluency": ("gcg", "--fluency", "0.05"),
        "fluency-epo": ("epo", "--fluency", "0.05"),
        "shortest-samples": ("hybrid", "--shortest", "3", "--samples", "3"),
        "prefix-bos": ("hotflip", "--prefix", "The capital of", "--suffix", " is near.", "--bos", "always"),
        "chat": ("gcg", "--chat"),
        "each": ("coordinate", "--positions", "each"),
        "mean-sinks": ("hybrid", "--positions", "mean", "--include-sinks"),
        "max-also": ("gcg", "--positions", "max", "--also", "0.5*blocks.1.hook_resid_post:3"),
        "position-unreachable": ("beam", "--positions", "3", "--unreachable"),
        "restarts": ("gcg", "--restarts", "3", "--seed", "5"),
        "logit": ("gcg", "--seed", "2"),
    }
    for name, (method, *more) in variants.items():
        unit, budget = (LOGIT, 60) if name == "logit" else (EARLY, 160)
        search = f"maximize {unit} --method {method} --length 6 --budget {budget}"
        yield Part(f"variant-{name}", (command(f"{search} --corpus {CORPUS} --out out --quiet", *more),))
    words = f"maximize {EARLY} --method gcg --method beam --method soft-ascent --length 5 --corpus {CORPUS}"
    yield Part("compare", (command(f"{words} --budget 120 --steps 20 --out out --quiet"),))


def corpus_parts() -> Iterator[Part]:
    """What reads real text: observe and the atlas, on a corpus of this script and on the default one."""
    units = f"{RESIDUAL} {NEURON} {QUERY} {LOGIT}"
    observe = f"observe {units} --out out --quiet"
    atlas = "--quiet --sites blocks.2.* --sites blocks.12.mlp.hook_post"
    yield Part("observe", (command(f"{observe} --corpus {CORPUS} --max-tokens 0 --neuronpedia"),))
    yield Part("observe-default", (command(f"{observe} --max-tokens 4000 --top 5 --context 8 --window 64"),))
    sinks = f"{observe} --corpus {CORPUS} --include-sinks --all-examples --bos always --top 7"
    yield Part("observe-sinks", (command(sinks),))
    yield Part(
        "atlas",
        (
            command(f"atlas build atlas --corpus {CORPUS} {atlas}"),
            command("atlas show atlas blocks.12.mlp.hook_post:1022 --json"),
            command("atlas show atlas blocks.2.attn.hook_q.3:7 --json"),
            command("atlas find atlas --json --text", "^ ?[Tt]he$"),
            command("atlas find atlas --json --bottom --limit 5 --text", "(?i)river"),
            command(f"maximize {NEURON} --atlas atlas --steps 5 --out soft --quiet"),
            command(f"maximize {EARLY} --atlas atlas --method gcg --budget 60 --out text --quiet"),
        ),
    )
    yield Part("atlas-default", (command("atlas build atlas --max-tokens 2500 --top 5 --window 64 --quiet"),))
    yield Part("sites", (command("sites --json"), command("sites --out out --quiet")))


def judging_parts() -> Iterator[Part]:
    """What judges a unit: reproduce, check, investigate."""
    again = f"reproduce {RESIDUAL} --out out --quiet"
    yield Part("reproduce-soft", (command(f"{again} --runs 4 --steps 25"),))
    yield Part("reproduce-last", (command(f"{again} --runs 3 --steps 25 --positions last --seed 4"),))
    yield Part("reproduce-gcg", (command(f"{again} --runs 3 --method gcg --budget 60"),))
    small = f"--corpus {CORPUS} --steps 15 --out out --quiet"
    text = ("--text", "The river ran past the old mill.")
    words = f"check {RESIDUAL} --others 19 --no-shuffled {small}"
    yield Part("check", (command(words),))
    yield Part("check-text", (command(f"check {NEURON} --others 3 --method random {small}", *text),))
    yield Part("investigate", (command(f"investigate {RESIDUAL} --others 3 --runs 4 --method gcg {small}"),))
    words = f"investigate {NEURON} --others 3 --runs 3 --method none --no-shuffled {small}"
    yield Part("investigate-none", (command(words, *text),))


def select_parts() -> Iterator[Part]:
    """Selectivity: every test, correction and way of reading."""
    pairs = "--a negation-pairs --b affirmation-pairs --sites blocks.4.mlp.hook_pre --permutations 50"
    words = "--a nouns --b verbs --sites blocks.4.mlp.hook_pre --permutations 50 --corpus none"
    variants = {
        "default": f"{words} --sites hidden_states.3 --save-activations",
        "pairs": f"{pairs} --corpus none --test paired",
        "mann-whitney": f"{words} --test mann-whitney --correction bonferroni --scope site",
        "logistic": f"{words} --test logistic --samples 60",
        "sentences": "--a negation-sentences --b affirmation-sentences --sites blocks.4.hook_resid_post"
        " --token mean --corpus none --permutations 20 --padded",
        "second": "--a animals --b vehicles --second-a animals-second --second-b vehicles-second"
        " --sites blocks.6.mlp.hook_post --corpus none --permutations 20",
        "corpus": f"--a negation --b affirmation --sites blocks.3.mlp.hook_pre --corpus {CORPUS}"
        " --permutations 20 --window 16 --after 2",
        "regex": f"--a regex:river|hill --b regex:mill|road --sites blocks.3.mlp.hook_pre --corpus {CORPUS}"
        " --permutations 20 --token first --hold-out documents",
        "words": "--a length:7 --b length:3-5 --sites blocks.3.mlp.hook_pre --permutations 20 --samples 60"
        f" --corpus {CORPUS} --correction none --no-probe --no-context --hold-out words",
    }
    for name, more in variants.items():
        yield Part(f"select-{name}", (command(f"select {more} --heat 2 --out out --quiet"),))
    yield Part("select-list", (command("select --list --json"),))


SUBJECTS = ("The river", "A farmer", "My sister", "The old mill", "Every road", "No judge", "The engine")
VERBS = (
    "never crossed",
    "always follows",
    "reached",
    "had not seen",
    "built",
    "could not find",
    "sold",
    "kept",
)
OBJECTS = ("the hill", "seven bridges", "a quiet harbour", "the northern border", "nothing at all", "the law")
ENDINGS = (
    "in 1848",
    "before the war",
    "with great care",
    "near Paris",
    "(see below)",
    "twice a year",
    "today",
)


def write_corpus(path: Path, documents: int = 40, sentences: int = 14) -> None:
    """The corpus of this script: 40 short documents of made-up sentences, the same on every machine."""
    state, lines = 12345, []

    def pick(words: Sequence[str]) -> str:
        nonlocal state
        state = (1103515245 * state + 12345) % 2**31
        return words[(state >> 16) % len(words)]

    for number in range(documents):
        text = " ".join(
            f"{pick(SUBJECTS)} {pick(VERBS)} {pick(OBJECTS)} {pick(ENDINGS)}." for _ in range(sentences)
        )
        lines.append(json.dumps({"id": number, "text": text}))
    path.write_text("\n".join(lines) + "\n")
