"""``actmax VERB``: the table of verbs, and how every failure leaves the program.

Exit codes: 0 done; 2 the user's mistake, said in one sentence on stderr; 130 interrupted. A traceback is a
bug of actmax.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import NoReturn

import typer

from actmax.errors import ActmaxError, Interrupted
from actmax.version import __version__

VERBS: Mapping[str, str] = MappingProxyType(
    {
        "maximize": "actmax.cli.maximize:maximize",
        "observe": "actmax.cli.observe:observe",
        "atlas": "actmax.cli.atlas:app",
        "investigate": "actmax.cli.investigate:investigate",
        "check": "actmax.cli.check:check",
        "reproduce": "actmax.cli.reproduce:reproduce",
        "select": "actmax.cli.select:select",
        "models": "actmax.cli.models:models",
        "sites": "actmax.cli.sites:sites",
        "doctor": "actmax.cli.doctor:doctor",
    }
)
"""Verb to ``module:function``, or ``module:app`` for a verb with verbs of its own; help shows this order."""

DONE, MISTAKE, INTERRUPTED = 0, 2, 130

# typer carries its own copy of click since 0.20 or so, and uses the real one before: ask it for the class.
_UsageError: type[Exception] = next(k for k in typer.BadParameter.__mro__ if k.__name__ == "ClickException")


def _version(wanted: bool | None) -> bool:
    if wanted:
        typer.echo(f"actmax {__version__}")
        raise typer.Exit
    return False


def build_app() -> typer.Typer:
    """The typer application with every verb of :data:`VERBS`."""
    app = typer.Typer(
        name="actmax",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def actmax(
        version: bool = typer.Option(
            False, "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ) -> None:
        """Find what a unit of a language model wants, and how far to believe it.

        \b
        Example:
          actmax maximize hidden_states.4:90 --restarts 10 --out runs/demo
        """

    for verb, place in VERBS.items():
        module, _, attribute = place.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=verb)
        else:
            app.command(verb)(found)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name; ``sys.argv`` by default) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = build_app()(args=given or ["--help"], prog_name="actmax", standalone_mode=False)
        sys.stdout.flush()
    except Interrupted as error:
        return _say(str(error), INTERRUPTED)
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


def run() -> NoReturn:
    """The entry point of the ``actmax`` command."""
    code = main()
    if code == INTERRUPTED:
        # Where Ctrl-C lands in an import that a C extension runs, Python holds it for unhandled although it
        # was caught, and would end by the signal instead of with our code.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _say(sentence: str, code: int) -> int:
    """The sentence as one line on stderr, control characters and newlines made harmless."""
    line = " ".join(sentence.split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    typer.echo(f"actmax: {line}", err=True)
    return code


def _usage(error: Exception) -> str:
    message: str = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "actmax")
    return f"{message.rstrip('.')} (see `{command} --help`)."


def _refusal(error: OSError) -> str | None:
    """A sentence for what the operating system refuses anyone; None for what must be a bug."""
    where = f" at {error.filename!r}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"No space is left on the disk{where}; free some or write elsewhere."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"Permission is denied{where}; mend the permissions or write elsewhere."
    return None
