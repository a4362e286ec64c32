"""Every ``--option`` that a string, a page or a document names is one that actmax has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from actmax.cli.hyperparameters import method_options
from actmax.cli.main import build_app
from actmax.cli.registry import all_verbs
from actmax.search.names import hyperparameters
from actmax.search.registry import methods
from actmax.settings import settings_of

ROOT = Path(__file__).parent.parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
STYLE = re.compile(r"var\(--[\w-]+|--[\w-]+(?=\s*:\s*[^\s])")
"""Variables of style sheets."""

FOREIGN = {
    "pip and uv, with which wheels are fetched": {
        "--dest",
        "--disable-pip-version-check",
        "--hash",
        "--implementation",
        "--no-deps",
        "--no-input",
        "--platform",
        "--progress-bar",
        "--python",
        "--python-platform",
        "--python-version",
        "--require-hashes",
        "--retries",
        "--target",
    },
    "scripts in benchmarks/ and examples/": {
        "--check",
        "--false-alarms",
        "--methods",
        "--quick",
        "--save",
        "--seeds",
        "--unit-seed",
        "--units",
    },
    "style sheets": {"--blue", "--green", "--grid", "--ink", "--muted", "--orange", "--purple", "--sky"}
    | {"--vermilion"},
    "the beginning of --no-...": {"--no"},
}
"""Options of other programs, by program."""


@cache
def options() -> frozenset[str]:
    """Every option of every verb, those of single methods too."""
    words = ["maximize", "--help"]  # the help needs the options of methods
    found = set(_options_of(typer.main.get_command(build_app())))
    found |= set(_options_of(typer.main.get_command(build_app(words))))
    return frozenset(found)


def _options_of(command: Any) -> Iterator[str]:
    yield from ("--help", "--version")
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    for child in getattr(command, "commands", {}).values():
        yield from _options_of(child)


def texts() -> Iterator[tuple[str, str]]:
    """Strings of the sources, templates, and documents."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        if path.name == "renamed.py":
            continue  # names the options of 0.1
        strings = [
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        yield path.relative_to(ROOT).as_posix(), "\n".join(strings)
    for path in [
        *(ROOT / "src").rglob("*.j2"),
        *(ROOT / "src").rglob("*.md"),
        ROOT / "README.md",
        *(ROOT / "docs").glob("*.md"),
    ]:
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def named(text: str) -> set[str]:
    """The options that a text names."""
    return set(OPTION.findall(STYLE.sub("", text)))


TEXTS = dict(texts())


@pytest.mark.parametrize("place", TEXTS)
def test_options_that_are_named_exist(place: str) -> None:
    foreign = frozenset().union(*FOREIGN.values())
    assert named(TEXTS[place]) - options() - foreign == set()


def test_foreign_options_are_named_somewhere() -> None:
    everything = named("\n".join(TEXTS.values()))
    assert {one for names in FOREIGN.values() for one in names} <= everything


def test_an_option_that_does_not_exist_is_seen() -> None:
    assert named("use --no-such-option, or ---, or a--b, or var(--accent)") == {"--no-such-option"}
    assert "--no-such-option" not in options()
    assert {"--metric", "--no-reachable", "--top-k", "--threads", "-c"} <= options()


def test_what_is_read_of_the_methods_is_what_an_import_gives() -> None:
    assert hyperparameters() == {name: settings_of(kind) for name, kind in methods().items()}


def test_options_of_methods_do_not_hide_those_of_verbs() -> None:
    taken = {"samples", "lr", "steps", "shell"}
    assert taken.isdisjoint(one.name for one in method_options(taken))


def test_a_word_means_one_thing_in_every_verb() -> None:
    """An option has the same short name in every verb that has the option."""
    short: dict[str, set[str]] = {}
    for verb in all_verbs():
        for parameter in typer.main.get_command(build_app(verb.name.split())).params:
            for option in parameter.opts:
                if option.startswith("--"):
                    others = {one for one in parameter.opts if not one.startswith("--")}
                    short.setdefault(option, set()).update(others or {""})
    assert {option: found for option, found in short.items() if len(found) > 1} == {}
