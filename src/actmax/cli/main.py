"""``actmax VERB``: the application, and how every failure leaves the program.

Exit codes: 0 done; 2 the user's mistake, in one sentence on stderr; 130 interrupted. A traceback is a bug of
actmax.
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import typer
from rich.markup import escape
from typer.core import TyperGroup

from actmax.cli.options import command_of
from actmax.cli.registry import all_verbs, verb_files, verbs_of
from actmax.cli.renamed import renamed
from actmax.errors import ActmaxError, Interrupted, SettingError
from actmax.version import __version__

DONE, MISTAKE, INTERRUPTED = 0, 2, 130

# typer carries its own copy of click since 0.20 or so, and uses the real one before: ask it for the class.
_UsageError: type[Exception] = next(k for k in typer.BadParameter.__mro__ if k.__name__ == "ClickException")


def _version(wanted: bool | None) -> bool:
    if wanted:
        typer.echo(f"actmax {__version__}")
        raise typer.Exit
    return False


def build_app(words: Sequence[str] = ()) -> typer.Typer:
    """The typer application; only the verbs of one file where a command line begins with its name."""
    word = words[0] if words else ""
    found = verbs_of(word) if word in verb_files() else all_verbs()
    order = list(dict.fromkeys(one.name.partition(" ")[0] for one in found))
    app = typer.Typer(
        name="actmax",
        cls=_in_order(order),
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def actmax(
        version: bool = typer.Option(
            False, "--version", callback=_version, is_eager=True, metavar="", help="Print the version."
        ),
    ) -> None:
        """Find what a unit of a language model wants, and how far to believe it.

        Example:
          actmax maximize hidden_states.4:90 --restarts 10 --out runs/demo
        """

    groups: dict[str, typer.Typer] = {}
    for one in found:
        first, _, second = one.name.partition(" ")
        target = app
        if second:
            if first not in groups:
                groups[first] = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")
                app.add_typer(groups[first], name=first, help=one.help)
            target = groups[first]
        target.command(second or first, help=_escaped(one.function))(command_of(one.function, words))
    return app


def _in_order(names: Sequence[str]) -> type[TyperGroup]:
    """A group that lists its commands, and groups among them, in this order."""

    class Ordered(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return list(names)

    return Ordered


def _escaped(function: Callable[..., None]) -> str:
    """A docstring as help: square brackets are not markup."""
    return escape(inspect.cleandoc(function.__doc__ or ""))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name; ``sys.argv`` by default) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        given = renamed(given)
        app = build_app(given)
        code = app(args=given or ["--help"], prog_name="actmax", standalone_mode=False)
        sys.stdout.flush()
    except Interrupted as error:
        return _say(str(error), INTERRUPTED)
    except SettingError as error:
        return _say(error.for_command_line, MISTAKE)
    except ActmaxError as error:
        return _say(str(error), MISTAKE)
    except _UsageError as error:
        return _say(_usage(error), MISTAKE)
    except (KeyboardInterrupt, typer.Abort):
        return _say("Interrupted.", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has left; keep Python from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        sentence = _refusal(error)
        if sentence is None:
            raise
        return _say(sentence, MISTAKE)
    if code == INTERRUPTED:
        return _say("Interrupted.", INTERRUPTED)
    return code if isinstance(code, int) else DONE


def entry_point() -> NoReturn:
    """The entry point of the ``actmax`` command."""
    code = main()
    if code == INTERRUPTED:
        # Where Ctrl-C lands in an import that a C extension runs, Python takes it for unhandled although
        # it was caught, and would end by the signal instead of with our code.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _say(sentence: str, code: int) -> int:
    """The sentence as one line on stderr, control characters and newlines made harmless."""
    line = " ".join(sentence.split())
    line = line if line.endswith((".", ")", "!", "?")) else f"{line}."
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    typer.echo(f"actmax: {line}", err=True)
    return code


def _usage(error: Exception) -> str:
    message: str = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "actmax")
    return f"{message.rstrip('.')} (see `{command} --help`)."


def _refusal(error: OSError) -> str | None:
    """A sentence for what the operating system refuses to anyone; None for what must be a bug."""
    where = f" at {error.filename!r}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"No space is left on the disk{where}; free some or write elsewhere."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"Permission is denied{where}; change the permissions or write elsewhere."
    return None
