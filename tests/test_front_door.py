"""``import actmax``: quick, complete, and clear about wrong arguments."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import jaxtyping
import pytest
import torch

import actmax
from actmax.errors import ActmaxError
from tests.cli.command import environment
from tests.tiny import tiny_model


@pytest.fixture
def unchecked() -> Iterator[None]:
    """As users have it: the types are not checked while it runs."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_every_public_name_is_there() -> None:
    assert {"load", "maximize", "observe", "ActmaxError", "GCG", "Objective"} <= set(actmax.__all__)
    assert all(getattr(actmax, name) is not None for name in actmax.__all__)
    assert dir(actmax) == sorted(actmax.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        actmax.nothing  # noqa: B018


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, actmax; print({'torch', 'transformers', 'numpy', 'pydantic', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["maximize", "hidden"],
        ["maximize", "hidden_states.4:90", "--method", "hope"],
        ["maximize", "hidden_states.4:90", "--method", "gcg", "--top-k", "many"],
        ["maximize", "hidden_states.4:90", "--width", "3"],
        ["observe", "hidden_states.4:90", "--bos", "maybe"],
        ["observe", "hidden_states.4:90", "--corpus", "no-such-file.txt"],
        ["check", "hidden_states.4:90", "--nonsense"],
        ["select", "--a", "nouns", "--b", "verbs", "--test", "t"],
    ],
)
def test_mistakes_that_need_no_model_import_nothing_heavy(arguments: list[str]) -> None:
    code = "import sys; from actmax.cli.main import main; code = main(sys.argv[1:]); "
    code += "print(code, {'torch', 'transformers', 'numpy', 'scipy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "2 set()\n", done.stderr


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: actmax.maximize(tiny_model(), 90), "A unit is a text such as 'hidden_states.4:90', not 90"),  # type: ignore[arg-type]
    (lambda: actmax.observe(tiny_model(), [90]), "A unit is a text such as"),  # type: ignore[list-item]
    (lambda: actmax.wrap("gpt2"), "wrap takes a model object, not 'gpt2'; use actmax.load"),  # type: ignore[arg-type]
    (lambda: actmax.wrap(torch.nn.Linear(1, 1)), "Give the model's tokenizer too"),
    (
        lambda: actmax.read(tiny_model(), ["blocks.1.hook_resid_post"], ids=torch.tensor([[1]])),  # type: ignore[list-item]
        "'blocks.1.hook_resid_post' is not a site; make one with actmax.resolve_site",
    ),
    (lambda: actmax.read(tiny_model(), []), "Give read either ids or embeds"),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "sentence"), WRONG)
def test_wrong_arguments_are_sentences(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ActmaxError, match=sentence):
        call()
