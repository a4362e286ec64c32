"""Errors of transformers, tokenizers, safetensors and the hub as sentences, and a way to silence their
output.

A file from elsewhere can make these libraries raise nearly anything. :func:`plain_errors` is the one
place where that becomes an :class:`~actmax.errors.ActmaxError` with its reason.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import transformers
from huggingface_hub import errors as hub
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from actmax.errors import ActmaxError


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Silence progress bars, warnings and log lines of transformers inside; its settings are restored
    afterwards."""
    talk: Any = transformers_logging
    verbosity, bars = talk.get_verbosity(), talk.is_progress_bar_enabled()
    hub_log = logging.getLogger("huggingface_hub")
    hub_level = hub_log.level
    talk.set_verbosity(logging.CRITICAL)
    hub_log.setLevel(logging.CRITICAL)
    talk.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        talk.set_verbosity(verbosity)
        hub_log.setLevel(hub_level)
        if bars:
            talk.enable_progress_bar()


@contextlib.contextmanager
def plain_errors(label: str, revision: str | None = None) -> Iterator[None]:
    """Turn whatever the libraries raise while they read the files of ``label`` into one sentence.

    Raises:
        ActmaxError: anything but the user's interruption was raised inside.
    """
    try:
        yield
    except ActmaxError:
        raise
    except Exception as error:
        raise ActmaxError(_sentence(error, label, revision)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what the Rust libraries raise when they give up
            raise
        raise ActmaxError(_unreadable(error, label)) from error


def reason_of(error: BaseException, longest: int = 200) -> str:
    """The text of an error on one line, without advice that is meant for programmers."""
    words = " ".join(str(error).split())
    for useless in ("You set `ignore_mismatched_sizes`", "For details look at the"):
        words = words.split(useless)[0].strip()
    words = words if len(words) <= longest else words[:longest] + "…"
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _unreadable(error: BaseException, label: str) -> str:
    return f"{label!r} cannot be loaded ({reason_of(error)}); check its files or use another model."


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _sentence(error: Exception, label: str, revision: str | None) -> str:
    causes = list(_chain(error))
    return (
        _refused_by_hub(causes, label, revision)
        or _refused_by_policy(causes, label)
        or _unreachable(causes, label)
        or _damaged(causes, label)
        or _unreadable(error, label)
    )


def _caused_by(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _refused_by_hub(causes: list[BaseException], label: str, revision: str | None) -> str | None:
    if _caused_by(causes, hub.GatedRepoError):
        return (
            f"The hub gives {label!r} only to those who accepted its terms; accept them on its page and"
            " log in with `hf auth login`."
        )
    if _caused_by(causes, hub.RevisionNotFoundError):
        return f"The hub has no revision {revision!r} of {label!r}; give a branch, tag or commit that exists."
    if _caused_by(causes, hub.RepositoryNotFoundError, hub.HFValidationError):
        return (
            f"There is no model {label!r}: no directory or .gguf file of that name is here and the hub has"
            " none; check the name, and log in with `hf auth login` if it is private."
        )
    refused = next((cause for cause in causes if isinstance(cause, hub.HfHubHTTPError)), None)
    if refused is None:
        return None
    status = refused.response.status_code
    remedy = "log in with `hf auth login`" if status in (401, 403) else "try again later"
    return f"The hub does not give out {label!r} (it answers {status}); check the name, or {remedy}."


def _refused_by_policy(causes: list[BaseException], label: str) -> str | None:
    said = " ".join(str(cause) for cause in causes)
    if "trust_remote_code" in said or "custom code" in said:
        return f"{label!r} wants to run Python code of its own, which actmax never does; use another model."
    if "safetensors" in said and ("does not appear to have" in said or "no file named" in said):
        return (
            f"{label!r} has no safetensors weights, and pickled ones are not opened; use a revision or a copy"
            " that has them."
        )
    return None


def _unreachable(causes: list[BaseException], label: str) -> str | None:
    names = ("ConnectError", "ConnectTimeout", "ReadTimeout", "ProxyError")
    offline = (hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, ConnectionError, TimeoutError)
    if _caused_by(causes, *offline) or any(type(cause).__name__ in names for cause in causes):
        return (
            f"{label!r} is not a directory or .gguf file here, and the model hub cannot be reached to look"
            " for it; check the name, connect to the network, or leave out --model to use the default model."
        )
    return None


def _damaged(causes: list[BaseException], label: str) -> str | None:
    said = " ".join(str(cause) for cause in causes)
    if _caused_by(causes, SafetensorError):
        return f"The weights of {label!r} are damaged or cut short; fetch or copy them again."
    if "does not recognize this architecture" in said or "Unrecognized model" in said:
        return (
            f"transformers {transformers.__version__} does not know the architecture of {label!r};"
            " update transformers or use another model."
        )
    if any(type(cause).__name__ == "OutOfMemoryError" or isinstance(cause, MemoryError) for cause in causes):
        return f"{label!r} does not fit into memory; use --dtype bfloat16, --device cpu, or a smaller model."
    full = any(isinstance(cause, OSError) and cause.errno == 28 for cause in causes)
    if full or "No space left" in said:
        return f"No space is left on the disk to fetch {label!r}; free some or set HF_HOME to a larger disk."
    return None
