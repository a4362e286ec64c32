"""Settings as options: a function of settings objects becomes a command with an option for each field.

::

    @verb("observe", order=20)
    def observe(units: Units, settings: ObserveSettings, machine: Machine, output: Output) -> None:
        \"\"\"Show what units respond to most in real text. …\"\"\"

Every parameter that is a settings class (:mod:`actmax.settings`) is replaced by the options of its fields; a
field that two classes share is one option. Values travel as text and are read and checked by the settings
classes alone, so that a mistake has the same sentence on the command line as in Python. Everything a library
writes to stderr is dropped where ``--quiet`` or ``--json`` is given (:mod:`actmax.cli.hush`).
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from actmax.cli.hush import quiet_stderr
from actmax.cli.hyperparameters import Hyperparameters, method_options
from actmax.settings import Setting, Settings, from_text, range_words, settings_of

_METAVARS: dict[Any, str] = {int: "N", float: "X", Path: "PATH", str: "TEXT"}


def command_of(function: Callable[..., None], words: Sequence[str] = ()) -> Callable[..., None]:
    """A function as typer wants it: flat parameters, each with its option or argument.

    Args:
        function: takes arguments, settings objects, and perhaps :class:`Hyperparameters`.
        words: the command line; the options of single methods are looked up only where it needs them.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    kinds = {name: hints[name] for name in parameters if _is_settings(hints[name])}
    options = {one.name: one for kind in kinds.values() for one in settings_of(kind) if one.scope.option}
    single = [name for name in parameters if hints[name] is Hyperparameters]
    extra = method_options(options) if single and _unknown(words, options.values()) else []
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in parameters.items()
        if name not in kinds and name not in single
    ]

    @functools.wraps(function)
    def called(**given: Any) -> None:
        texts = {one.name: given.pop(one.name) for one in extra}
        values = {name: _read(one, given.pop(name)) for name, one in options.items()}
        with quiet_stderr(wanted=any(values.get(name) is True for name in ("quiet", "json"))):
            made: dict[str, Any] = {name: _made(kind, values) for name, kind in kinds.items()}
            for name in single:
                texts = {option: text for option, text in texts.items() if text is not None}
                made[name] = Hyperparameters(texts)
            function(**given, **made)

    flat = [*own, *map(_parameter, options.values()), *map(_parameter, extra)]
    shown: Any = called
    shown.__signature__ = inspect.Signature([one.replace(kind=one.KEYWORD_ONLY) for one in flat])
    shown.__annotations__ = {one.name: one.annotation for one in flat}
    del shown.__wrapped__
    return called


def _unknown(words: Sequence[str], options: Iterable[Setting]) -> bool:
    """Whether the command line has an option that is not one of these; ``--help`` is one that is not."""
    known = {flag for one in options for flags in _flags(one) for flag in flags.split("/")}
    return any(word.startswith("-") and word.partition("=")[0] not in known for word in words)


def _is_settings(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Settings)


def _made(kind: type[Settings], values: dict[str, Any]) -> Settings:
    chosen = [one.name for one in settings_of(kind) if one.scope.option and one.name in values]
    return kind(**{name: values[name] for name in chosen if values[name] is not dataclasses.MISSING})


def _read(setting: Setting, raw: Any) -> Any:
    """What was typed as a value; :data:`dataclasses.MISSING` where nothing was."""
    if raw is None or raw == []:
        return dataclasses.MISSING
    if setting.many:
        return tuple(raw)
    return from_text(setting, raw) if isinstance(raw, str) else raw


def _parameter(setting: Setting) -> inspect.Parameter:
    """One option; its default is None, so that what was not given stays the settings class's business."""
    needed = setting.default is dataclasses.MISSING
    if setting.is_flag:
        kind: Any = bool | None
    elif setting.many:
        kind = list[str] | None
    else:
        kind = str if needed else str | None
    option = typer.Option(
        *_flags(setting),
        metavar="" if setting.is_flag else setting.option.metavar or _metavar(setting),
        help=_help(setting),
        show_default=False,
        rich_help_panel=setting.option.panel or None,
    )
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if needed else None,
        annotation=Annotated[kind, option],
    )


def _flags(setting: Setting) -> Iterator[str]:
    """``--top``, ``--probe/--no-probe``, and the short name."""
    negated = setting.is_flag and (setting.default is True or setting.optional)
    yield f"{setting.flag}/--no-{setting.flag[2:]}" if negated else setting.flag
    if setting.option.short:
        yield setting.option.short


def _metavar(setting: Setting) -> str:
    kinds = [_METAVARS[member] for member in setting.members if member in _METAVARS]
    return "|".join([*setting.words, *(kinds or ["TEXT"] * (not setting.words))])


def _help(setting: Setting) -> str:
    """The docstring, the range and the default; escaped, as rich reads markup in help texts."""
    notes = [range_words(setting.limits)] if setting.limits else []
    if (shown := _shown(setting.default)) and not setting.is_flag:
        notes.append(f"default: {shown}")
    note = f" [dim]{escape('[' + '; '.join(notes) + ']')}[/dim]" if notes else ""
    return escape(setting.doc.replace("``", "")) + note


def _shown(default: Any) -> str:
    if default is None or default is dataclasses.MISSING or default in ("", ()):
        return ""
    if isinstance(default, Sequence) and not isinstance(default, str):
        return ", ".join(map(str, default))
    return os.fspath(default) if isinstance(default, os.PathLike) else str(default)
