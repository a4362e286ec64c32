"""What a chat template does to a message is what is scored, or is refused."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.tiny import tiny_model, tiny_net, tiny_tokenizer

from actmax.errors import ActmaxError
from actmax.inputs.allowed import allowed_tokens
from actmax.inputs.frame import frame_of
from actmax.inputs.tokens import TokenSpace, survives
from actmax.models.load import wrap
from actmax.models.model import Model

PLAIN = "{% for m in messages %}<s>user: {{ m['content'] }}</s>assistant:{% endfor %}"
TRIMS = "{% for m in messages %}<s>user: {{ m['content'] | trim }}</s>assistant:{% endfor %}"


def chatty(template: str) -> Model:
    tokenizer = copy.deepcopy(tiny_tokenizer())
    tokenizer.chat_template = template
    return wrap(tiny_net("llama"), tokenizer, name="talker")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            "{{ raise_exception('a system message is required') }}",
            "refuses the message: a system message is req",
        ),
        ("{{ messages[0]['content'] }}{{ messages[0]['content'] }}", r"repeats the message \(2 times\)"),
        ("nothing", "drops or changes the message"),
        ("{{ messages[0]['content'] | upper }}", "drops or changes the message"),
        ("{{ messages[0]['content'] | lower }}", "drops or changes the message"),
        ("{{ messages[0]['content'] | replace(' ', '_') }}", "drops or changes the message"),
        ("{{ messages[0]['content'] | replace('7', 'seven') }}", "drops or changes the message"),
        ("{% for m in messages %}{{ m", r"is not valid \(line 1: "),
        ("{{ messages[1]['content'] }}", "fails \\(UndefinedError: "),
        ("{{ nothing.at.all }}", "fails \\(UndefinedError: "),
        ("{{ messages[0]['content'] + 1 }}", "fails \\(TypeError: "),
        ("{{ 1 / 0 }}", "fails \\(ZeroDivisionError"),
        ("{% include 'x' %}", "fails"),
    ],
)
def test_a_template_that_gives_something_else_is_refused_in_its_own_words(template: str, said: str) -> None:
    with pytest.raises(ActmaxError, match=f"The chat template of talker {said}") as caught:
        frame_of(chatty(template), chat=True)
    assert "\n" not in str(caught.value)


def sent(model: Model, text: str) -> list[int]:
    """What the model is given when a user says ``text``."""
    whole = model.tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
    )
    ids: list[int] = model.tokenizer.encode(whole, add_special_tokens=False)
    return ids


@pytest.mark.parametrize(
    "template",
    [
        PLAIN,
        TRIMS,
        "{{ '<s>' + messages[0]['content'].replace('th', 't h') }}</s>",
        "{% if ' ' in messages[0]['content'] %}<s>{{ messages[0]['content'] }}{% endif %}</s>",
        "{% if 'e' in messages[0]['content'] and not messages[0]['content'].startswith('A') %}"
        "{{ raise_exception('no e') }}{% endif %}<s>{{ messages[0]['content'] }}</s>",
    ],
)
def test_every_sequence_that_survives_is_what_the_template_gives(template: str) -> None:
    model = chatty(template)
    frame = frame_of(model, chat=True)
    rows = torch.randint(3, model.vocab_size, (400, 3), generator=torch.Generator().manual_seed(0))
    good = survives(model, rows, frame)
    texts = model.tokenizer.batch_decode(rows)
    for row, text, passed in zip(rows.tolist(), texts, good.tolist(), strict=True):
        if passed:
            assert [*frame.before, *row, *frame.after] == sent(model, text)
    assert good.any()


def test_without_a_trim_more_survives() -> None:
    rows = torch.randint(3, 306, (400, 3), generator=torch.Generator().manual_seed(1))
    trimmed, plain = (survives(m, rows, frame_of(m, chat=True)) for m in (chatty(TRIMS), chatty(PLAIN)))
    assert not bool((trimmed & ~plain).any())
    assert int(plain.sum()) > int(trimmed.sum()) > 0


def test_prefix_and_suffix_are_part_of_the_message() -> None:
    model = chatty(TRIMS)
    frame = frame_of(model, prefix="the ", suffix=" sat", chat=True)
    row = model.tokenizer.encode("cat", add_special_tokens=False)
    if survives(model, torch.tensor([row]), frame).all():
        assert [*frame.before, *row, *frame.after] == sent(model, "the cat sat")
    assert str(model.tokenizer.decode(list(frame.before))).endswith("user: the ")


def test_bos_that_a_policy_put_before_a_template_is_not_counted_as_its() -> None:
    model = chatty("{{ messages[0]['content'] }} ok")
    frame = frame_of(model, chat=True, bos="always")
    assert frame.before == (0,)
    assert survives(model, torch.tensor([[300], [301]]), frame).any()


def test_a_template_that_refuses_every_text_says_why() -> None:
    refuses = "{% if 'Messages' not in messages[0]['content'] %}{{ raise_exception('only that') }}{% endif %}"
    model = chatty(refuses + "{{ messages[0]['content'] }}")
    tokens = TokenSpace(model, allowed_tokens(model), frame_of(model, chat=True))
    with pytest.raises(ActmaxError, match="refuses the message: only that"):
        tokens.random(3, 2, torch.Generator().manual_seed(0))


def test_a_tokenizer_larger_than_its_model_is_refused_where_it_matters() -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer())
    tokenizer.add_tokens(["walrus", "<late>"])
    model = wrap(tiny_net("llama"), tokenizer, name="small")
    said = "token 'walrus' .id 306. has no embedding: small has 306, but its tokenizer has 308 tokens"
    assert frame_of(model, prefix="the cat").before
    with pytest.raises(ActmaxError, match=said):
        frame_of(model, prefix="the walrus")
    from actmax.inputs.soft import text_start
    from actmax.models.read import read, read_prefix, watch
    from actmax.models.sites import resolve, resolve_site

    site = resolve_site(model, "hidden_states.1")
    ids = torch.tensor([[5, 306, 7]])
    with pytest.raises(ActmaxError, match=said):
        text_start(model, "walrus", range(1), 0)
    with pytest.raises(ActmaxError, match=said):
        resolve(model, "unembed.hook_logits:walrus")
    for run in (
        lambda: read(model, [site], ids=ids),
        lambda: read_prefix(model, [site], ids),
        lambda: watch(model, [site], lambda site, value: None, ids=ids),
    ):
        with pytest.raises(ActmaxError, match=said):
            run()
    assert allowed_tokens(model).mask.shape == (306,)
    assert read(tiny_model(), [site], ids=torch.tensor([[5, 305]]))
