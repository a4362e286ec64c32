"""What stands around the searched tokens, and which sequences a text gives."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.tiny import tiny_model, tiny_net, tiny_tokenizer

from actmax.errors import ActmaxError
from actmax.inputs.allowed import allowed_tokens
from actmax.inputs.frame import Frame, frame_of
from actmax.inputs.tokens import TokenSpace, survives
from actmax.models.load import wrap
from actmax.models.model import Model

TEMPLATE = (
    "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}the dog:{% endif %}"
)


def ids_of(text: str) -> tuple[int, ...]:
    return tuple(tiny_tokenizer().encode(text, add_special_tokens=False))


def chatty() -> Model:
    tokenizer = copy.deepcopy(tiny_tokenizer())
    tokenizer.chat_template = TEMPLATE
    return wrap(tiny_net("llama"), tokenizer)


def test_prefix_and_suffix_stand_around() -> None:
    model = tiny_model()
    assert frame_of(model) == Frame((0,), (), 0)
    assert frame_of(model, prefix="the cat", suffix=" sat") == Frame(
        (0, *ids_of("the cat")), ids_of(" sat"), 0
    )
    assert frame_of(model, prefix="the cat", bos="never") == Frame(ids_of("the cat"), (), None)
    assert frame_of(model, bos="never") == Frame()


def test_bos_is_never_added_twice() -> None:
    assert frame_of(tiny_model(), prefix="<s>the").before == (0, *ids_of("the"))


def test_chat_template_is_around_the_message() -> None:
    frame = frame_of(chatty(), prefix="cat ", suffix=" sat", chat=True)
    whole = tiny_tokenizer().decode([*frame.before, *ids_of("RED"), *frame.after])
    assert whole == "<s>user: cat RED sat</s>the dog:"
    with pytest.raises(ActmaxError, match="no chat template"):
        frame_of(tiny_model(), chat=True)


def test_survival_is_decode_and_encode() -> None:
    model = tiny_model()
    rows = torch.randint(3, model.vocab_size, (300, 4), generator=torch.Generator().manual_seed(0))
    expected = []
    for row in rows.tolist():
        text = model.tokenizer.decode(row)
        expected.append(model.tokenizer.encode(text, add_special_tokens=False) == row)
    assert survives(model, rows).tolist() == expected
    assert 0 < sum(expected) < 300


def test_survival_counts_the_text_around() -> None:
    """``th`` + ``e`` is another token when they touch."""
    model = tiny_model()
    e = ids_of("e")
    row = torch.tensor([e])
    assert survives(model, row).all()
    touching = frame_of(model, prefix="th")
    assert not survives(model, row, touching).any()
    assert survives(model, row, frame_of(model, prefix="th ")).all() or ids_of("th e") != (*ids_of("th "), *e)


def test_random_rows_may_be_given() -> None:
    model = tiny_model()
    tokens = TokenSpace(model, allowed_tokens(model), frame_of(model, prefix="the", suffix=" cat"))
    rows = tokens.random(50, 6, torch.Generator().manual_seed(0))
    assert rows.shape == (50, 6)
    assert tokens.keep(rows).all()
    again = tokens.random(50, 6, torch.Generator().manual_seed(0))
    assert torch.equal(rows, again)
    rows[7, 2] = 0
    assert tokens.keep(rows).tolist() == [i != 7 for i in range(50)]
