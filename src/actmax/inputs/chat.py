"""The chat template of a model's tokenizer, run on a user's message.

A template is a program from elsewhere: it may trim, repeat, change, drop or refuse the message. So its effect
is never guessed. It is run on a mark, to find what stands around a message, and on each text that is
searched, to check that the model would be given exactly what was scored. All its errors become sentences
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError

from actmax.errors import ActmaxError
from actmax.models.complaints import reason_of
from actmax.models.model import Model

_MARK = "Actmax: 7 Messages"
"""Both cases, a digit, a space and a sign, so that a template which changes any of them is found out."""


@dataclass(frozen=True)
class Chat:
    """A template with the fixed parts of the message: prefix, searched text, suffix."""

    tokenizer: Any
    name: str
    """The name of the model in errors."""
    prefix: str
    suffix: str

    def render(self, text: str) -> str:
        """The whole text that the model is given when the user writes prefix, ``text`` and suffix.

        Raises:
            ActmaxError: the template refuses the message or fails.
        """
        message = [{"role": "user", "content": self.prefix + text + self.suffix}]
        try:
            whole = self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        except Exception as error:
            raise ActmaxError(_sentence(error, self.name)) from error
        return str(whole)

    def render_or_none(self, text: str) -> str | None:
        """As :meth:`render`; None where the template refuses this text."""
        try:
            return self.render(text)
        except ActmaxError:
            return None

    def around(self) -> tuple[str, str]:
        """The text before and after the searched text.

        Raises:
            ActmaxError: the template fails, or does not give the message exactly once and unchanged.
        """
        whole = self.render(_MARK)
        times = whole.count(_MARK)
        if times != 1:
            does = f"repeats the message ({times} times)" if times else "drops or changes the message"
            raise ActmaxError(
                f"The chat template of {self.name} {does}, so no text can be searched between what stands"
                " around it; leave --chat out."
            )
        head, _, tail = whole.partition(_MARK)
        return head, tail


def chat_of(model: Model, prefix: str, suffix: str) -> Chat:
    """The chat template of a model.

    Raises:
        ActmaxError: its tokenizer has none.
    """
    if not getattr(model.tokenizer, "chat_template", None):
        raise ActmaxError(f"The tokenizer of {model.name} has no chat template; leave --chat out.")
    return Chat(model.tokenizer, model.name, prefix, suffix)


def _sentence(error: Exception, name: str) -> str:
    start = f"The chat template of {name}"
    if isinstance(error, TemplateSyntaxError):
        return (
            f"{start} is not valid (line {error.lineno}: {error.message}); correct it, or leave --chat out."
        )
    if isinstance(error, TemplateError) and not isinstance(error, UndefinedError):
        words = " ".join(str(error).split())[:200].rstrip(".")
        return f"{start} refuses the message: {words}; leave --chat out."
    return f"{start} fails ({reason_of(error)}); correct it, or leave --chat out."
