"""The one place where transformers loads weights, and where its complaints become sentences.

No code from a model's repository is ever run (``trust_remote_code=False``), only safetensors are opened, and
a model whose files lack a weight is refused: transformers would fill it with random numbers and go on.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
import transformers
from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub import errors as hub
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from actmax.errors import ActmaxError
from actmax.models.families import family_of

ATTENTION = "eager"
"""Plain matrix products and a softmax: the same arithmetic for every shape and device, where ``sdpa`` picks a
kernel by shape, device and mask (so a row alone and in a batch could differ), and right for architectures
that cap their attention scores. For the short sequences of a search it is not slower."""


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """No progress bars, warnings or log lines from transformers inside; its settings are put back after."""
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


def load_pretrained(
    location: str, label: str, dtype: torch.dtype, revision: str | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Weights (on the CPU) and tokenizer of a directory or hub name.

    Args:
        location: A directory, or a hub name.
        label: What error messages call it.
        dtype: Of the weights.
        revision: Branch, tag or commit on the hub.

    Raises:
        ActmaxError: for everything that a user can mend.
    """
    common: dict[str, Any] = {"revision": revision, "trust_remote_code": False}
    with hushed(), _plain(label, revision):
        config = AutoConfig.from_pretrained(location, **common)
        family_of(config.model_type)
        tokenizer = AutoTokenizer.from_pretrained(location, **common)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            location,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            attn_implementation=ATTENTION,
            output_loading_info=True,
            **common,
        )
    net, info = loaded
    missing = sorted(info["missing_keys"])
    if missing:
        raise ActmaxError(
            f"The weights of {label!r} lack {missing[0]!r} ({len(missing)} missing in all); the model would"
            " be partly random, so fetch or copy it again."
        )
    return net, tokenizer


def reach_hub(name: str, revision: str | None) -> None:
    """Ask the hub once for a model that its cache does not hold, so that an unreachable hub is known at once.

    (Left to itself, the download tries six times over 23 seconds.)

    Raises:
        ActmaxError: the hub cannot be reached, or says that it has no such model or gives it to few.
    """
    with hushed(), _plain(name, revision):
        if isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str):
            return
        HfApi().model_info(name, revision=revision, timeout=10)


@contextlib.contextmanager
def _plain(label: str, revision: str | None) -> Iterator[None]:
    try:
        yield
    except ActmaxError:
        raise
    except Exception as error:
        raise ActmaxError(_sentence(error, label, revision)) from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _sentence(error: Exception, label: str, revision: str | None) -> str:
    causes = list(_chain(error))

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    said = " ".join(str(cause) for cause in causes)
    if caused_by(hub.GatedRepoError):
        return (
            f"The hub gives {label!r} only to those who accepted its terms; accept them on its page and"
            " log in with `hf auth login`."
        )
    if caused_by(hub.RevisionNotFoundError):
        return f"The hub has no revision {revision!r} of {label!r}; give a branch, tag or commit that exists."
    if caused_by(hub.RepositoryNotFoundError, hub.HFValidationError):
        return (
            f"There is no model {label!r}: no directory or .gguf file of that name is here and the hub has"
            " none; check the name, and log in with `hf auth login` if it is private."
        )
    refused = next((cause for cause in causes if isinstance(cause, hub.HfHubHTTPError)), None)
    if refused is not None:
        status = refused.response.status_code
        mend = "log in with `hf auth login`" if status in (401, 403) else "try again later"
        return f"The hub does not give out {label!r} (it answers {status}); check the name, or {mend}."
    if "trust_remote_code" in said or "custom code" in said:
        return f"{label!r} wants to run Python code of its own, which actmax never does; use another model."
    if "safetensors" in said and ("does not appear to have" in said or "no file named" in said):
        return (
            f"{label!r} has no safetensors weights, and pickled ones are not opened; use a revision or a copy"
            " that has them."
        )
    if caused_by(hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, ConnectionError, TimeoutError) or any(
        type(cause).__name__ in ("ConnectError", "ConnectTimeout", "ReadTimeout", "ProxyError")
        for cause in causes
    ):
        return (
            f"{label!r} is no directory or .gguf file here, and the model hub cannot be reached to look for"
            " it; check the name, connect to the network, or leave out --model to use the default model."
        )
    if caused_by(SafetensorError):
        return f"The weights of {label!r} are damaged or cut short; fetch or copy them again."
    if "does not recognize this architecture" in said or "Unrecognized model" in said:
        return (
            f"transformers {transformers.__version__} does not know the architecture of {label!r};"
            " update transformers or use another model."
        )
    full = next((cause for cause in causes if isinstance(cause, OSError) and cause.errno == 28), None)
    if full is not None or "No space left" in said:
        return f"No space is left on the disk to fetch {label!r}; free some or set HF_HOME to a larger disk."
    first = " ".join(str(error).split())[:200]
    return (
        f"{label!r} cannot be loaded ({type(error).__name__}: {first}); check its files or use another model."
    )
