"""Do two checkouts give the same numbers? Run every verb of both, and compare what they write.

    python benchmarks/same_numbers.py OLD NEW                    # two checkouts
    python benchmarks/same_numbers.py OLD NEW --only text-gcg*   # some parts (--list names them)
    python benchmarks/same_numbers.py --record OLD DIR           # keep what OLD gives
    python benchmarks/same_numbers.py DIR NEW --save RUNS        # a recording in place of a checkout

Only the command line of a checkout is run, with fixed seeds and small budgets on the default model, on one
thread, each part in a folder and with a cache of its own. Compared are, as trees, the ``result.json`` and
``manifest.json`` of every verb and what ``--json`` prints; every tensor and every file of an atlas, by its
hash; and the journal of every token search, which holds each question to the model and each answer, so the
sequences that were scored and their order. Numbers have to be equal bit for bit, unless a table below says
otherwise. What only the new checkout has is never a difference.

The exit code is 1 where anything differs, and where a part could not be run.
"""

from __future__ import annotations

import argparse
import fnmatch
import gzip
import hashlib
import json
import math
import re
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from checkouts import Checkout, Done, private_cache
from every_verb import CORPUS, Part, parts, write_corpus

Path_: TypeAlias = tuple[str, ...]
"""The keys and list indices that lead to a leaf of a tree."""

# The tables of what may differ. A path begins with the kind of file (the schema's name without ``actmax.``
# and version, or ``manifest``, ``tensors``, ``journal``); ``*`` is any one key, and what follows is included.

RENAMED: dict[str, str] = {}
"""Old path to new path; ``*`` on the right takes what ``*`` on the left found."""
DROPPED: dict[str, str] = {}
"""Old path that has no successor, to the reason."""
TOLERANCE: dict[str, float] = {}
"""New path to a relative tolerance, for statistics that a library computes now."""
PROSE_KEYS = frozenset({"assumption", "conclusion", "label", "says", "sentence", "title", "x", "y"})
"""Keys, anywhere, of sentences for people, whose words may change; the numbers in them stand beside them."""
RENAMED_FILES: dict[str, str] = {}
"""Old file to new file, each as PART/PATH; ``*`` in the old one is any characters."""
RENAMED_OPTIONS: dict[str, str] = {}
"""``VERB --old`` to ``--new`` (or ``--new VALUE``): what a checkout is given that refuses the old option."""
IGNORED_KEYS = frozenset(
    {"seconds", "versions", "created", "command", "actmax_version", "version", "createdAt", "updatedAt"}
)
"""Keys, anywhere, that hold a time, a version or the command line."""

# What a journal is: named here because it is the one file that is read although it belongs to no contract.

JOURNALS = ("*.journal.kept",)
"""Hard links that :mod:`checkouts` makes, as a journal is deleted when its search ends."""
MAGIC, LENGTHS, CHECK = b"AMJ1", struct.Struct("<IQ"), 16
"""A record: the magic word, the lengths of head and body, a JSON head, the arrays' bytes, a checksum."""


CHANGED_QUESTIONS = ("gradient", "proposals")
"""Calls whose digest holds other settings than in 0.1; compared are their names and order."""

# Recording: what a part wrote, as one JSON document.


@dataclass
class Recorded:
    """What a part gave."""

    codes: list[int]
    errors: list[str]
    seconds: float
    trees: dict[str, Any] = field(default_factory=dict)
    """File to its content, as trees; ``stdout-N`` is what the N-th command line printed."""
    files: dict[str, str] = field(default_factory=dict)
    """Any other file to the hash of its bytes."""


def record(checkout: Checkout, part: Part, folder: Path, scratch: Path) -> Recorded:
    """Run a part in ``folder``, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_corpus(folder / CORPUS)
    cache = private_cache(scratch / "caches" / part.name, scratch / "corpora")
    began = time.perf_counter()
    ended = [run(checkout, one, folder, cache) for one in part.commands]
    seconds = time.perf_counter() - began
    shutil.rmtree(scratch / "caches" / part.name, ignore_errors=True)
    found = Recorded([done.code for done in ended], [done.stderr[-500:] for done in ended], seconds)
    for number, done in enumerate(ended):
        if "--json" in part.commands[number]:
            found.trees[f"stdout-{number}"] = json.loads(done.stdout or "null")
    read_files(folder, found)
    return found


def run(checkout: Checkout, line: Sequence[str], folder: Path, cache: Path) -> Done:
    """Run a command line; where an option is refused, once more with the options' new names."""
    done = checkout.run(line, folder, cache)
    newer: list[str] = []
    for word in line:
        new = RENAMED_OPTIONS.get(f"{line[0]} {word}")
        newer += [word] if new is None else new.split(maxsplit=1)
    if done.code != 2 or "option" not in done.stderr.lower() or newer == list(line):
        return done
    return checkout.run(newer, folder, cache)


def read_files(folder: Path, found: Recorded) -> None:
    """Put what a part wrote into its recording; pages and the corpus are left out."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json":
            found.trees[name] = json.loads(path.read_text())
        elif name.endswith((".jsonl", ".jsonl.gz")) and name != CORPUS:
            whole = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            found.trees[name] = [json.loads(line) for line in whole.splitlines() if line]
        elif path.suffix == ".safetensors":
            found.trees[name] = {"schema": "actmax.tensors/1", "tensors": tensors(path.read_bytes())}
        elif any(fnmatch.fnmatch(name, pattern) for pattern in JOURNALS):
            found.trees[name] = {"schema": "actmax.journal/1", **journal(path.read_bytes())}
        elif path.suffix != ".html" and name != CORPUS:
            found.files[name] = hashlib.sha256(path.read_bytes()).hexdigest()


def tensors(data: bytes) -> dict[str, Any]:
    """The tensors of a safetensors file: kind, shape and hash of each."""
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + length])
    head.pop("__metadata__", None)
    body = data[8 + length :]
    return {
        name: {
            "dtype": one["dtype"],
            "shape": one["shape"],
            "sha256": hashlib.sha256(body[slice(*one["data_offsets"])]).hexdigest(),
        }
        for name, one in head.items()
    }


def journal(data: bytes) -> dict[str, Any]:
    """What a search asked and was answered, in order.

    The arrays of one name are joined over all records, so how many rows were asked about at once plays no
    part; the activations, one a sequence in the order of scoring, are given in full. ``questions`` are the
    digests of what was asked: of the call's name and its token ids.
    """
    questions, cost = [], {}
    joined: dict[str, list[bytes]] = {}
    while data:
        n_head, n_body = LENGTHS.unpack(data[len(MAGIC) : len(MAGIC) + LENGTHS.size])
        start = len(MAGIC) + LENGTHS.size
        head, body = json.loads(data[start : start + n_head]), data[start + n_head : start + n_head + n_body]
        data = data[start + n_head + n_body + CHECK :]
        if "question" not in head:
            continue
        name = head["question"].split(":")[0]
        questions.append(name if name in CHANGED_QUESTIONS else head["question"])
        cost, at = head["cost"], 0
        for name, (dtype, shape) in head["arrays"].items():
            bits = re.search(r"\d+$", dtype)
            size = math.prod(shape) * (int(bits[0]) // 8 if bits else 1)
            joined.setdefault(name, []).append(body[at : at + size])
            at += size
    whole = {name: b"".join(pieces) for name, pieces in joined.items()}
    activations = whole.pop("activation", b"")
    return {
        "questions": questions,
        "cost": cost,
        "activations": [value[0] for value in struct.iter_unpack("<d", activations)],
        "arrays": {name: hashlib.sha256(content).hexdigest() for name, content in whole.items()},
    }


# Comparing: two trees, leaf by leaf.


def leaves(tree: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every leaf of a tree with its path; a list's length is one, under ``#``."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, list):
        yield (*path, "#"), len(tree)
        for number, value in enumerate(tree):
            yield from leaves(value, (*path, str(number)))
    else:
        yield path, tree


def matched(pattern: str, path: Path_) -> list[str] | None:
    """What ``*`` stands for where ``path`` begins with ``pattern``; None where it doesn't."""
    found = []
    wanted = pattern.split(".")
    if len(wanted) > len(path):
        return None
    for want, have in zip(wanted, path, strict=False):
        if want == "*":
            found.append(have)
        elif want != have:
            return None
    return found


def renamed(path: Path_) -> Path_ | None:
    """Where an old leaf is in the new tree; None where it has been dropped."""
    if any(matched(pattern, path) is not None for pattern in DROPPED):
        return None
    for old, new in RENAMED.items():
        stars = matched(old, path)
        if stars is not None:
            filled = iter(stars)
            target = [next(filled) if part == "*" else part for part in new.split(".")]
            return (*target, *path[len(old.split(".")) :])
    return path


def same(old: Any, new: Any, path: Path_) -> bool:
    """Whether two leaves are equal, as the tables have it for ``path``."""
    if isinstance(old, str) and isinstance(new, str) and PROSE_KEYS.intersection(path):
        return True
    numbers = [
        value for value in (old, new) if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(numbers) < 2:
        return type(old) is type(new) and bool(old == new)
    if math.isnan(old) or math.isnan(new):
        return math.isnan(old) and math.isnan(new)
    if old == new:
        return math.copysign(1, old) == math.copysign(1, new)
    bound = next((bound for one, bound in TOLERANCE.items() if matched(one, path) is not None), 0.0)
    return math.isclose(old, new, rel_tol=bound, abs_tol=0.0)


def kind_of(name: str, tree: Any) -> str:
    """What a file is, for the tables: its schema's name, else its own without number and ending."""
    schema = tree.get("schema") if isinstance(tree, dict) else None
    if isinstance(schema, str):
        return schema.removeprefix("actmax.").split("/")[0]
    return Path(name).stem


def tree_differences(name: str, old: Any, new: Any) -> Iterator[str]:
    """What an old tree has and the new one lacks or has otherwise."""
    kind = kind_of(name, old)
    there = {(kind, *path): value for path, value in leaves(new)}
    for path, value in leaves(old):
        target = renamed((kind, *path))
        if target is None or IGNORED_KEYS.intersection(target):
            continue
        shown = f"{name}: {'.'.join(target)}"
        if target not in there:
            yield f"{shown} is missing (was {value!r})"
        elif not same(value, there[target], target):
            yield f"{shown} was {value!r}, is {there[target]!r}"


def new_file(part: str, name: str) -> str:
    """Where an old file of a part is now."""
    for old, new in RENAMED_FILES.items():
        if fnmatch.fnmatch(f"{part}/{name}", old):
            return new.removeprefix(f"{part}/")
    return name


def differences(part: str, old: Recorded, new: Recorded) -> Iterator[str]:
    """What differs between two recordings of a part, a line each."""
    for number, (before, after) in enumerate(zip(old.codes, new.codes, strict=False)):
        if before != after:
            yield f"command {number} ended with {before}, now with {after}: {new.errors[number].strip()}"
    for name, tree in old.trees.items():
        target = new_file(part, name)
        if target not in new.trees:
            yield f"{target} is missing"
        else:
            yield from tree_differences(name, tree, new.trees[target])
    for name, digest in old.files.items():
        target = new_file(part, name)
        if new.files.get(target) != digest:
            yield f"{target} {'has other bytes' if target in new.files else 'is missing'}"


# The two sides: a checkout that is run, or a folder that holds what one gave.


class Side:
    """Where recordings of one side come from."""

    def __init__(self, place: Path, keep: Path, stack: ExitStack) -> None:
        """A checkout, which is run when a part is asked for, or a recording.

        Args:
            place: the checkout or the recording.
            keep: the folder that a checkout's runs are written into.
            stack: what stops the checkout's process.
        """
        self.keep = keep
        self._place = place
        recorded = any(place.glob("parts/*.json"))
        self._checkout = None if recorded else stack.enter_context(Checkout(place))

    def get(self, part: Part) -> Recorded | None:
        """What this side gives for a part; None where a recording lacks it."""
        if self._checkout is None:
            path = self._place / "parts" / f"{part.name}.json"
            return Recorded(**json.loads(path.read_text())) if path.exists() else None
        found = record(self._checkout, part, self.keep / "runs" / part.name, self.keep)
        path = self.keep / "parts" / f"{part.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(vars(found), indent=1) + "\n")
        return found


def compare(old: Side, new: Side, chosen: Sequence[Part], most: int) -> bool:
    """Print a line a part, and say whether all are equal."""
    equal = True
    for part in chosen:
        before, after = old.get(part), new.get(part)
        if before is None or after is None:
            print(f"{part.name:28} not recorded by the {'old' if before is None else 'new'} side", flush=True)
            equal = False
            continue
        found = list(differences(part.name, before, after))
        times = f"{before.seconds:6.1f} s, {after.seconds:6.1f} s"
        print(f"{part.name:28} {times}  {'differs' if found else 'equal'}", flush=True)
        for line in found[:most]:
            print(f"    {line}")
        if len(found) > most:
            print(f"    and {len(found) - most} more")
        equal = equal and not found
    return equal


def record_all(side: Side, chosen: Sequence[Part]) -> bool:
    """Record parts, and say whether every command line ended well."""
    good = True
    for part in chosen:
        found = side.get(part)
        bad = [] if found is None else [k for k, code in enumerate(found.codes) if code]
        if found is None or bad:
            good = False
        errors = "" if found is None else " ".join(found.errors[k].strip() for k in bad)
        seconds = 0.0 if found is None else found.seconds
        print(f"{part.name:28} {seconds:6.1f} s  {errors or 'recorded'}", flush=True)
    return good


def chosen_parts(patterns: Sequence[str] | None) -> list[Part]:
    """The parts whose names match one of the patterns; all without any.

    Raises:
        SystemExit: a pattern matches nothing.
    """
    everything = parts()
    for pattern in patterns or ():
        if not any(fnmatch.fnmatch(part.name, pattern) for part in everything):
            raise SystemExit(f"no part is named {pattern!r}; --list names them")
    return [
        part
        for part in everything
        if patterns is None or any(fnmatch.fnmatch(part.name, pattern) for pattern in patterns)
    ]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("places", nargs="*", type=Path, metavar="OLD NEW", help="checkouts or recordings")
    parser.add_argument("--record", nargs=2, type=Path, metavar=("CHECKOUT", "DIR"), help="record and stop")
    parser.add_argument("--only", nargs="+", metavar="PART", help="names of parts, with * and ?")
    parser.add_argument("--save", type=Path, metavar="DIR", help="keep what was run, in DIR/old and DIR/new")
    parser.add_argument("--most", type=int, default=5, metavar="N", help="differences shown a part (5)")
    parser.add_argument("--list", action="store_true", help="name the parts and their command lines")
    given = parser.parse_args()
    if given.places and len(given.places) != 2:
        parser.error("give two checkouts or recordings, OLD and NEW")
    return given


def main() -> int:
    """Run, compare, and return the exit code."""
    given = arguments()
    chosen = chosen_parts(given.only)
    if given.list:
        for part in chosen:
            print(part.name, *(f"\n    actmax {' '.join(one)}" for one in part.commands), sep="")
        return 0
    with ExitStack() as stack:
        if given.record:
            return 0 if record_all(Side(given.record[0], given.record[1], stack), chosen) else 1
        if not given.places:
            print("Nothing to compare: give two checkouts or recordings (see --help).")
            return 0
        save = given.save or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        old, new = (
            Side(place, save / name, stack) for place, name in zip(given.places, ("old", "new"), strict=True)
        )
        return 0 if compare(old, new, chosen, given.most) else 1


if __name__ == "__main__":
    sys.exit(main())
