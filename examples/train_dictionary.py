"""Train a small TopK autoencoder (or transcoder) on the default model, and save it as SAELens 6 files.

    python examples/train_dictionary.py --out runs/dictionary            # block 8, 2,304 latents, k = 32
    python examples/train_dictionary.py --transcoder --out runs/transcoder
    actmax observe sae:5 --dictionary runs/dictionary

1. Read the default corpus once to the site and keep its activations on disk in half precision; position 0, BOS and
   attention sinks are left out (a norm of 22,000 beside a median of 150 would own the loss).
2. TopK (Gao et al. 2024, arXiv:2406.04093): the decoder begins as the encoder's transpose, its rows have norm 1
   after every step, ``b_dec`` begins as the mean; Adam with warm-up on batches of shuffled positions. An auxiliary
   loss lets latents that have been off for long explain what is left (weight 1/32).
3. Ctrl-C and kill -9 lose at most one checkpoint's worth of steps: run the same command again to go on.

Half a million positions make a small dictionary, good for learning and tests; call it small where you show it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

import actmax
from actmax.corpus.corpus import DEFAULT_CORPUS, open_corpus
from actmax.corpus.sinks import calibrate
from actmax.corpus.windows import windows_of
from actmax.inputs.bos import bos_id
from actmax.models.model import Model
from actmax.models.sinks import residual_at
from actmax.models.sites import resolve_site

WINDOW, EVERY, HELD_OUT, AUXILIARY = 128, 100, 50, 1 / 32
screen = Console(stderr=True)


@dataclass
class Weights:
    """What is trained."""

    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor

    def encode(self, x: Tensor, k: int, subtract: bool) -> tuple[Tensor, Tensor]:
        """The ``k`` largest pre-activations and all of them."""
        h = (x - self.b_dec if subtract else x) @ self.W_enc + self.b_enc
        best = h.topk(k, dim=1)
        return torch.zeros_like(h).scatter(1, best.indices, best.values.relu()), h


def activations(
    model: Model, reads: str, writes: str, folder: Path, max_tokens: int | None
) -> tuple[Tensor, Tensor]:
    """What the dictionary reads and what it should write, ``[position, d]`` each, kept in ``folder``."""
    files = [
        folder / f"activations-{hashlib.sha256(f'{site} {max_tokens}'.encode()).hexdigest()[:8]}.npy"
        for site in (reads, writes)
    ]
    if not all(file.exists() for file in files):
        tokens = open_corpus(DEFAULT_CORPUS, model.tokenizer, field="text", max_tokens=max_tokens)
        windows = windows_of(
            tokens, length=WINDOW, bos=bos_id(model.tokenizer, "auto"), max_tokens=max_tokens
        )
        inner, outer = resolve_site(model, reads), resolve_site(model, writes)
        depth = residual_at(model, outer)
        assert depth is not None
        sinks = calibrate(model, windows, [depth])[depth]
        kept: list[list[np.ndarray]] = [[], []]
        for start in track(range(0, windows.n_windows, 8), "reading", console=screen):
            batch = windows.batch(start, start + 8)
            with torch.inference_mode():
                acts = actmax.read(model, [inner, outer, depth], ids=batch.ids)
            real = batch.valid & ~sinks.mask(acts[depth])
            for part, site in zip(kept, (inner, outer), strict=True):
                part.append(acts[site][real].half().numpy())
        for file, part in zip(files, kept, strict=True):
            partial = file.with_suffix(".partial.npy")
            np.save(partial, np.concatenate(part))
            partial.replace(file)
    x, y = (torch.from_numpy(np.load(file)) for file in files)
    return x, y


def begin(x: Tensor, y: Tensor, n: int, seed: int) -> Weights:
    """Random directions; the decoder is the encoder's transpose, its bias the mean."""
    rng = torch.Generator().manual_seed(seed)
    rows = functional.normalize(torch.randn(n, y.shape[1], generator=rng), dim=1)
    encoder = (
        rows.T if x.shape[1] == y.shape[1] else torch.randn(x.shape[1], n, generator=rng) / x.shape[1] ** 0.5
    )
    return Weights(encoder.clone(), torch.zeros(n), rows, y[:100_000].float().mean(dim=0))


def train(x: Tensor, y: Tensor, asked: argparse.Namespace, folder: Path) -> Weights:
    """Adam over shuffled positions, from the last checkpoint where there is one."""
    subtract, scale = not asked.transcoder, float(y[:10_000].float().var(dim=0).sum().sqrt())
    weights = begin(x, y, asked.latents, asked.seed)
    tensors = [value.requires_grad_(True) for value in vars(weights).values()]
    adam = torch.optim.Adam(tensors, lr=asked.lr)
    idle = torch.zeros(asked.latents)
    per_epoch = len(x) // asked.batch
    total, step = asked.epochs * per_epoch, 0
    checkpoint = folder / "checkpoint.safetensors"
    if checkpoint.exists():
        step = resume(checkpoint, tensors, adam, idle)
    for now in track(range(step, total), f"training from step {step} of {total}", console=screen):
        order = np.random.default_rng([asked.seed, now // per_epoch]).permutation(len(x))
        rows = torch.from_numpy(order[(now % per_epoch) * asked.batch :][: asked.batch])
        seen, wanted = x[rows].float() / scale, y[rows].float() / scale
        with torch.no_grad():
            if now == 0:
                weights.b_dec.copy_(wanted.mean(dim=0))
        z, h = weights.encode(seen, asked.k, subtract)
        rest = wanted - (z @ weights.W_dec + weights.b_dec)
        loss = rest.square().sum(dim=1).mean()
        dead = idle > asked.dead_after
        if bool(dead.any()):
            most = min(int(dead.sum()), weights.W_dec.shape[1] // 2)
            spare = torch.where(dead, h, -torch.inf).topk(most, dim=1)
            extra = torch.zeros_like(h).scatter(1, spare.indices, spare.values.relu()) @ weights.W_dec
            loss = loss + AUXILIARY * (rest.detach() - extra).square().sum(dim=1).mean()
        for group in adam.param_groups:
            group["lr"] = asked.lr * min(1.0, (now + 1) / 50) * min(1.0, 5 * (total - now) / total)
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            weights.W_dec.copy_(functional.normalize(weights.W_dec, dim=1))
            idle = torch.where((z > 0).any(dim=0), 0, idle + len(rows))
        if (now + 1) % EVERY == 0:
            save_checkpoint(checkpoint, tensors, adam, idle, now + 1)
    with torch.no_grad():
        weights.b_enc.mul_(scale)
        weights.b_dec.mul_(scale)
    return Weights(*(tensor.detach() for tensor in tensors))


def save_checkpoint(
    path: Path, tensors: list[Tensor], adam: torch.optim.Adam, idle: Tensor, step: int
) -> None:
    """Weights and Adam's moments, written beside and moved into place."""
    held = {f"weight{i}": tensor.detach() for i, tensor in enumerate(tensors)}
    for i, tensor in enumerate(tensors):
        held |= {f"{name}{i}": value for name, value in adam.state[tensor].items()}
    save_file(held | {"idle": idle, "steps": torch.tensor(step)}, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)


def resume(path: Path, tensors: list[Tensor], adam: torch.optim.Adam, idle: Tensor) -> int:
    """Everything as it was at the checkpoint; the number of steps that were taken."""
    held = load_file(path)
    with torch.no_grad():
        for i, tensor in enumerate(tensors):
            tensor.copy_(held[f"weight{i}"])
            adam.state[tensor] = {name: held[f"{name}{i}"] for name in ("step", "exp_avg", "exp_avg_sq")}
        idle.copy_(held["idle"])
    return int(held["steps"])


def save_sae_lens(weights: Weights, asked: argparse.Namespace, folder: Path, reads: str, writes: str) -> None:
    """``cfg.json`` and ``sae_weights.safetensors`` as SAELens 6 writes them."""
    metadata = {"hook_name": reads, "model_name": "smollm2-135m", "prepend_bos": True, "context_size": WINDOW}
    config = {
        "architecture": "topk_transcoder" if asked.transcoder else "topk",
        "d_in": weights.W_enc.shape[0],
        "d_sae": weights.W_enc.shape[1],
        "k": asked.k,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": not asked.transcoder,
        "normalize_activations": "none",
        "rescale_acts_by_decoder_norm": False,
        "reshape_activations": "none",
        "metadata": metadata | ({"hook_name_out": writes} if asked.transcoder else {}),
    }
    if asked.transcoder:
        config["d_out"] = weights.W_dec.shape[1]
    save_file(
        {name: value.contiguous() for name, value in vars(weights).items()},
        folder / "sae_weights.safetensors",
    )
    (folder / "cfg.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


def report(weights: Weights, x: Tensor, y: Tensor, asked: argparse.Namespace) -> str:
    """L0, FVU and the share of dead latents on positions that were not trained on."""
    x, y = x.float(), y.float()
    z = torch.cat([weights.encode(part, asked.k, not asked.transcoder)[0] for part in x.split(4096)])
    rest = (y - z @ weights.W_dec - weights.b_dec).double().square().sum()
    fvu = float(rest / (y - y.mean(dim=0)).double().square().sum())
    dead = float((~(z > 0).any(dim=0)).double().mean())
    return f"L0 {float((z > 0).sum(dim=1).double().mean()):.1f}, FVU {fvu:.3f}, never on {100 * dead:.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--transcoder", action="store_true", help="from what the MLP reads to what it gives")
    parser.add_argument("--block", type=int, default=8)
    parser.add_argument("--latents", type=int, default=2304)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--dead-after", type=int, default=200_000, help="positions without being on")
    parser.add_argument("--max-tokens", type=int, default=None)
    parser.add_argument("--model", default=None)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    block = f"blocks.{asked.block}"
    reads, writes = f"{block}.hook_resid_post", f"{block}.hook_resid_post"
    if asked.transcoder:
        reads, writes = f"{block}.mlp.hook_in", f"{block}.hook_mlp_out"
    began = time.perf_counter()
    x, y = activations(actmax.load(asked.model), reads, writes, asked.out, asked.max_tokens)
    held = len(x) // HELD_OUT
    weights = train(x[held:], y[held:], asked, asked.out)
    save_sae_lens(weights, asked, asked.out, reads, writes)
    print(f"{asked.latents} latents on {len(x) - held:,} positions of {reads}, a small dictionary")
    print(f"on {held:,} positions that were not trained on: {report(weights, x[:held], y[:held], asked)}")
    print(f"{time.perf_counter() - began:.0f} s; actmax dictionary {asked.out}")


if __name__ == "__main__":
    main()
