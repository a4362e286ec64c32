"""A tiny model and corpus for atlases, and as a program: build one, to be killed.

``python -m tests.atlas.tiny_atlas FOLDER KILLS SEED`` kills builders with SIGKILL at random moments and
resumes them until KILLS of them died, then lets the last finish. It prints how many died and how many
atlases were finished.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.tiny import tiny_model

from actmax.atlas.build import AtlasSettings, build_atlas
from actmax.corpus.tokens import tokens_of_texts
from actmax.corpus.windows import Windows, windows_of
from actmax.models.model import Model

SETTINGS = AtlasSettings(top=4, context=3)
SENTENCE = "the cat sat on the mat and the dog ran to the sea where a red ship was waiting"


def tiny_texts(documents: int = 20, words: int = 40) -> list[str]:
    """Random sentences, the same every time; the last two documents are equal."""
    draw, words_of = random.Random(0), SENTENCE.split()
    texts = [" ".join(draw.choice(words_of) for _ in range(words)) for _ in range(documents - 1)]
    return [*texts, texts[-1]]


def tiny_windows(model: Model, texts: list[str] | None = None) -> Windows:
    """The corpus in windows of 16 with BOS."""
    return windows_of(tokens_of_texts(texts or tiny_texts(), model.tokenizer), length=16, bos=0)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def main(folder: Path, kills: int, seed: int) -> None:
    model = tiny_model()
    windows = tiny_windows(model)
    draw = random.Random(seed)
    folder.mkdir()
    began = time.monotonic()
    build_atlas(model, windows, folder / "whole", SETTINGS, save_every=0)
    longest = time.monotonic() - began
    whole = content(folder / "whole")
    killed = finished = 0
    while killed < kills or not finished:
        child = os.fork()
        if not child:
            build_atlas(model, windows, folder / "killed", SETTINGS, save_every=0, resume=True)
            os._exit(0)
        if killed < kills:
            time.sleep(draw.uniform(0, longest / 2))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed += 1
            continue
        assert os.WEXITSTATUS(status) == 0
        assert content(folder / "killed") == whole
        finished += 1
        shutil.rmtree(folder / "killed")
    sys.stdout.write(f"{killed} {finished}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
