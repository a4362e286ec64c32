"""Settings, said once: a frozen dataclass is the options of the command line, the arguments in Python, and
the provenance in the result.

::

    Metric = Literal["cosine", "l2", "dot"]

    @dataclass(frozen=True, kw_only=True)
    class NearSettings(Settings):
        top: Annotated[int, Ge(1)] = 20
        \"\"\"Tokens to list.\"\"\"
        metric: Annotated[Metric, Option(panel="Decoding", short="-d")] = "cosine"
        \"\"\"How near two vectors are.\"\"\"
        atlas: Annotated[Path | None, UNRECORDED] = None
        \"\"\"Folder of an atlas to look in.\"\"\"
        progress: Annotated[Progress, INTERNAL] = silent
        \"\"\"Called from time to time with how far the work is.\"\"\"

    @keywords(NearSettings)
    def near(model: Model, unit: str, settings: NearSettings) -> NearResult: ...

    near(model, "hidden_states.4:90", top=5)        # mypy and an editor know top, metric, atlas, progress
    provenance(settings)                            # {"top": 5, "metric": "cosine"}

The command line has ``--top``, ``--metric`` and ``--atlas``, with the docstrings below the fields as their
help; the same docstrings are appended to ``near.__doc__``. ``Ge(1)``, ``Gt``, ``Le``, ``Lt`` and ``Interval``
of ``annotated_types`` are checked whenever an object is made, from Python and from the command line, and give
"--top must be at least 1 (got 0)". A ``Literal`` gives "Unknown metric 'x'; choose cosine, l2 or dot". What
depends on several fields is checked in ``__post_init__``, after ``super().__post_init__()``.

Rules:

- Settings are composed by inheritance (all fields are keywords), and shared ones exist once.
- The file of a settings class, and that of every ``Literal`` which it names, imports no torch, transformers
  or scipy: a mistake in an option is answered before these are loaded. Put them in the room's
  ``settings.py``.
- One word for one thing: the field's name is the option, the argument and the JSON key.
- A search method is itself such a dataclass (``GCG(top_k=256)``); its fields are its hyperparameters.

``keywords`` passes the dataclass's parameters on with a ``ParamSpec``: type checkers see them, said once.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
import math
import numbers
import operator
import os
import textwrap
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, overload

from annotated_types import BaseMetadata, Ge, GroupedMetadata, Gt, Le, Lt

from actmax.errors import ActmaxError, SettingError, nearest, one_of

Parameters = ParamSpec("Parameters")
First = TypeVar("First")
Second = TypeVar("Second")
Third = TypeVar("Third")
Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Option:
    """How a field is shown on the command line, where its name, type and docstring do not say enough."""

    panel: str = ""
    """Title of the help panel; empty for the first one, which a newcomer reads."""
    short: str = ""
    """A one-letter name, such as ``-c``."""
    metavar: str = ""
    """What stands for the value in the help."""


@dataclass(frozen=True)
class Scope:
    """Where a field does not appear."""

    option: bool
    recorded: bool


UNRECORDED = Scope(option=True, recorded=False)
"""An option and an argument, but not part of the provenance: a folder for results, for example."""
INTERNAL = Scope(option=False, recorded=False)
"""An argument in Python only: a callback, or an object that no command line can spell."""


@dataclass(frozen=True)
class Settings:
    """The base of every settings class: each field of a new object is checked against its annotation.

    Raises:
        SettingError: a value of the wrong kind, out of its range, or not among the choices.
    """

    def __post_init__(self) -> None:
        for setting in settings_of(type(self)):
            check_value(setting, getattr(self, setting.name))


@dataclass(frozen=True)
class Setting:
    """One field of a settings class, as the command line, Python and the docs need it."""

    name: str
    members: tuple[Any, ...]
    """The types that a value may have, those of a union one by one, without ``None``."""
    optional: bool
    """Whether ``None`` is a value."""
    default: Any
    """:data:`dataclasses.MISSING` where a value has to be given."""
    limits: tuple[BaseMetadata, ...]
    option: Option
    scope: Scope
    doc: str
    """The docstring below the field, as one line."""

    @property
    def flag(self) -> str:
        """The option's name: ``--max-tokens``."""
        return "--" + self.name.replace("_", "-")

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that a ``Literal`` allows; empty where other values are possible too."""
        return self.words if all(typing.get_origin(one) is Literal for one in self.members) else ()

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the ``Literal`` members."""
        literal = [typing.get_args(one) for one in self.members if typing.get_origin(one) is Literal]
        return tuple(itertools.chain(*literal))

    @property
    def many(self) -> bool:
        """Whether the option may be given again."""
        return any(_is_sequence(member) for member in self.members)

    @property
    def is_flag(self) -> bool:
        """Whether the option takes no value."""
        return self.members == (bool,)


def settings_of(kind: object) -> tuple[Setting, ...]:
    """The fields of a dataclass in their order, with what their annotations and docstrings say."""
    made: Any = kind
    return _settings_of(made)


@functools.cache
def _settings_of(kind: Any) -> tuple[Setting, ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    docs = field_docs(kind)
    return tuple(
        setting_of(one.name, hints[one.name], _default(one), docs.get(one.name, ""))
        for one in dataclasses.fields(kind)
        if one.init
    )


def field_docs(kind: Any) -> dict[str, str]:
    """The docstring below each field of a class and of its bases, as one line; none without source."""
    docs: dict[str, str] = {}
    for base in reversed(inspect.getmro(kind)):
        if not dataclasses.is_dataclass(base):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for field, below in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
                text = below.value.value if isinstance(below.value, ast.Constant) else None
                if isinstance(text, str):
                    docs[ast.unparse(field.target)] = " ".join(text.split())
    return docs


def check_value(setting: Setting, value: object) -> None:
    """Raise a :class:`SettingError` where the value is of the wrong kind, out of range, or not a choice."""
    if value is None and setting.optional:
        return
    if not any(_fits(value, member) for member in setting.members):
        raise _refused(setting, value)
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingError(setting.name, f"must be a finite number (got {value})")
    if setting.limits and isinstance(value, numbers.Real) and not _within(value, setting.limits):
        raise SettingError(setting.name, f"must be {range_words(setting.limits)} (got {value})")


def from_text(setting: Setting, text: str) -> Any:
    """The value that a text from the command line means (:class:`SettingError` if none); not checked yet."""
    if text in setting.words:
        return text
    free = bool({str, Path} & set(setting.members))  # "none" is a name, unless the metavar says otherwise
    if setting.optional and text.lower() == "none" and (not free or "none" in setting.option.metavar):
        return None
    for member in setting.members:
        try:
            if member is bool and text.lower() in ("true", "false"):
                return text.lower() == "true"
            if member in (int, float):
                return member(text)
        except ValueError:
            continue
        if member is Path:
            return Path(text)
        if member is str:
            return text
    raise _refused(setting, text)


def provenance(settings: object) -> dict[str, Any]:
    """The recorded fields of a settings object as plain data, in the order of the fields."""
    return {
        setting.name: _plain(getattr(settings, setting.name))
        for setting in settings_of(type(settings))
        if setting.scope.recorded
    }


def settings_from(kind: Callable[..., Made], name: str, given: dict[str, Any]) -> Made:
    """A settings object from keyword arguments.

    Raises:
        ActmaxError: ``name`` (for the sentence) has no such setting, or a value is refused.
    """
    if dataclasses.is_dataclass(kind):
        known = [setting.name for setting in settings_of(kind)]
        for word in given:
            if word not in known:
                raise ActmaxError(f"{name} has no setting {word!r}; the nearest are {nearest(word, known)}.")
    return kind(**given)


class keywords(Generic[Parameters, Made]):  # noqa: N801 - used as a decorator
    """Let a function that ends in a settings object take that object's fields as keyword arguments."""

    def __init__(self, kind: Callable[Parameters, Made]) -> None:
        self.kind: Callable[..., Made] = kind

    @overload
    def __call__(
        self, function: Callable[[First, Made], Given]
    ) -> Callable[Concatenate[First, Parameters], Given]: ...

    @overload
    def __call__(
        self, function: Callable[[First, Second, Made], Given]
    ) -> Callable[Concatenate[First, Second, Parameters], Given]: ...

    @overload
    def __call__(
        self, function: Callable[[First, Second, Third, Made], Given]
    ) -> Callable[Concatenate[First, Second, Third, Parameters], Given]: ...

    def __call__(self, function: Callable[..., Given]) -> Callable[..., Given]:
        """The function with keyword arguments, their signature and their docstrings."""
        own = inspect.signature(function)
        *leading, last = own.parameters.values()
        fields = list(inspect.signature(self.kind).parameters.values())

        @functools.wraps(function)
        def called(*values: Any, **given: Any) -> Given:
            first = {one.name: given.pop(one.name) for one in leading[len(values) :] if one.name in given}
            more = {one.name: value for one, value in zip(fields, values[len(leading) :], strict=False)}
            settings = settings_from(self.kind, function.__name__, more | given)
            return function(*values[: len(leading)], **first, **{last.name: settings})

        called.__signature__ = own.replace(parameters=[*leading, *fields])  # type: ignore[attr-defined]
        called.__doc__ = _with_fields(function.__doc__ or "", self.kind)
        return called


def _with_fields(doc: str, kind: Any) -> str:
    """A docstring with the fields of a settings class as keyword arguments at its end."""
    lines = [f"    {one.name}: {one.doc}" for one in settings_of(kind)]
    return "\n".join([inspect.cleandoc(doc), "", "Keyword Args:", *lines, ""])


def _default(field: dataclasses.Field[Any]) -> Any:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def setting_of(name: str, hint: Any, default: Any, doc: str) -> Setting:
    """A setting from an annotation, a default value and a docstring."""
    members, metadata = _taken_apart(hint)
    option = next((one for one in metadata if isinstance(one, Option)), Option())
    scope = next((one for one in metadata if isinstance(one, Scope)), Scope(option=True, recorded=True))
    limits = tuple(one for one in metadata if type(one) in _LIMITS)
    kinds = tuple(member for member in members if member is not types.NoneType)
    return Setting(name, kinds, types.NoneType in members, default, limits, option, scope, doc)


def _taken_apart(hint: Any) -> tuple[list[Any], list[Any]]:
    """The members of a (nested, annotated) union, and all that is annotated."""
    if typing.get_origin(hint) is typing.Annotated:
        members, metadata = _taken_apart(hint.__origin__)
        return members, [*_flat(hint.__metadata__), *metadata]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [_taken_apart(one) for one in typing.get_args(hint)]
        return [kind for kinds, _ in parts for kind in kinds], [one for _, more in parts for one in more]
    return [hint], []


def _flat(metadata: Sequence[Any]) -> Iterator[Any]:
    for one in metadata:
        if isinstance(one, GroupedMetadata):
            yield from _flat(list(one))
        else:
            yield one


def _is_sequence(member: Any) -> bool:
    origin = typing.get_origin(member)
    return isinstance(origin, type) and issubclass(origin, Sequence)


def _fits(value: object, member: Any) -> bool:
    if typing.get_origin(member) is Literal:
        return value in typing.get_args(member)
    if member is bool or isinstance(value, bool):
        return isinstance(value, bool) and member in (bool, object, Any)
    if member is int:
        return isinstance(value, numbers.Integral)
    if member is float:
        return isinstance(value, numbers.Real)
    if member is str:
        return isinstance(value, str)
    if member is Path:
        return isinstance(value, str | os.PathLike)
    if _is_sequence(member):
        return isinstance(value, Sequence) and not isinstance(value, str)
    return True


def _refused(setting: Setting, value: object) -> SettingError:
    """The sentence for a value of the wrong kind."""
    shown = repr(str(value)) if isinstance(value, os.PathLike) else repr(value)
    kinds = [_KINDS[member] for member in setting.members if member in _KINDS]
    if setting.words:
        words = one_of([*setting.words, *kinds])
        return SettingError(setting.name, shown, sentence=f"Unknown {setting.name} {shown}; choose {words}")
    return SettingError(setting.name, f"must be {one_of(kinds) or 'another kind of value'} (got {shown})")


_KINDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
}


_LIMITS: dict[type[BaseMetadata], tuple[str, Callable[[Any, Any], bool], str]] = {
    Ge: ("ge", operator.ge, "at least"),
    Gt: ("gt", operator.gt, "more than"),
    Le: ("le", operator.le, "at most"),
    Lt: ("lt", operator.lt, "less than"),
}


def _within(value: numbers.Real, limits: Sequence[BaseMetadata]) -> bool:
    return all(
        compare(value, getattr(one, attribute))
        for one in limits
        for attribute, compare, _ in [_LIMITS[type(one)]]
    )


def range_words(limits: Sequence[BaseMetadata]) -> str:
    """A range in words: "at least 1 and at most 5"."""
    words = [(_LIMITS[type(one)], one) for one in limits]
    return " and ".join(f"{phrase} {getattr(one, attribute)}" for (attribute, _, phrase), one in words)


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return provenance(value)
    return value
