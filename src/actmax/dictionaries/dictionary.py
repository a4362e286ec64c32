"""A dictionary: an encoder and a decoder whose latents are units.

1. The input is brought to the scale that the encoder was trained on (:class:`Scaling`), and the decoder's
   bias is subtracted where the file says so: ``x' = scale(x) - b_dec``.
2. Pre-activations are affine in ``x'``: ``h = x' @ W_enc + b_enc``.
3. The gate decides which latents are on: ``relu(h)`` (standard), ``relu(h) * [h > threshold]`` (JumpReLU,
   Rajamanoharan et al. 2024, arXiv:2407.14435), the ``k`` largest (Gao et al. 2024, arXiv:2406.04093), or a
   path of its own (gated, Rajamanoharan et al. 2024, arXiv:2404.16014).
4. The output is ``z @ W_dec + b_dec`` (and ``x @ W_skip`` in a skip transcoder), scaled back.

Shapes are the same whatever the file's orientation: ``d`` is the width of what is read, ``n`` the number of
latents, ``d_out`` the width of what is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from actmax.errors import ActmaxError

Latents: TypeAlias = Float[Tensor, "*batch n"]
Inputs: TypeAlias = Float[Tensor, "*batch d"]
Outputs: TypeAlias = Float[Tensor, "*batch d_out"]

_EPSILON = 1e-5


@dataclass(frozen=True)
class Relu:
    """``relu(h)``."""


@dataclass(frozen=True)
class JumpRelu:
    """``relu(h) * [h > threshold]``."""

    threshold: Float[Tensor, " n"]


@dataclass(frozen=True)
class TopK:
    """The ``k`` largest pre-activations of a position; below zero they are cut off, unless ``signed``."""

    k: int
    signed: bool = False
    """Whether the ``k`` largest absolute values are taken, with their signs."""


@dataclass(frozen=True)
class Gated:
    """``[h > 0] * relu(x' @ (W_enc * exp(r_mag)) + b_mag)``, where ``h`` has the gate's bias."""

    r_mag: Float[Tensor, " n"]
    b_mag: Float[Tensor, " n"]


Gate: TypeAlias = Relu | JumpRelu | TopK | Gated


@dataclass(frozen=True)
class Scaling:
    """The scaling of the input before the encoder, which is undone after the decoder."""

    kind: Literal["none", "constant", "layer_norm", "unit_norm"] = "none"
    """``constant``: times ``factor``; ``layer_norm``: ``(x - mean) / (std + 1e-5)`` with the unbiased
    standard deviation; ``unit_norm``: times ``sqrt(d) / ‖x‖``."""
    factor: float = 1.0
    out_factor: float = 1.0
    """For ``constant``, the number by which the decoder's output is divided."""

    def forward(self, x: Inputs) -> tuple[Inputs, Tensor, Tensor]:
        """The scaled input, and the ``shift`` and ``size`` with which an output is scaled back."""
        zero, one = torch.zeros_like(x[..., :1]), torch.ones_like(x[..., :1])
        if self.kind == "constant":
            return x * self.factor, zero, one / self.out_factor
        if self.kind == "layer_norm":
            mean, spread = x.mean(dim=-1, keepdim=True), x.std(dim=-1, keepdim=True)
            return (x - mean) / (spread + _EPSILON), mean, spread
        if self.kind == "unit_norm":
            size = x.norm(dim=-1, keepdim=True) / x.shape[-1] ** 0.5
            return x / size, zero, size
        return x, zero, one


@dataclass(frozen=True, eq=False)
class Dictionary:
    """The weights of an autoencoder or transcoder, and what its file says about it.

    Raises:
        ActmaxError: tensors that do not fit together or are not finite; the sentence names one.
    """

    format: str
    """The format of the file, for example ``sae_lens``."""
    reads: str
    """The canonical site whose value is encoded."""
    writes: str
    """The canonical site that the decoder reconstructs; the same as ``reads`` in an autoencoder."""
    W_enc: Float[Tensor, "_ _"]
    """``[d, n]``"""
    b_enc: Float[Tensor, " _"]
    """``[n]``"""
    W_dec: Float[Tensor, "_ _"]
    """``[n, d_out]``"""
    b_dec: Float[Tensor, " _"]
    """``[d_out]``"""
    gate: Gate = field(default_factory=Relu)
    scaling: Scaling = field(default_factory=Scaling)
    subtract_b_dec: bool = False
    """Whether the encoder sees ``x - b_dec``; never in a transcoder."""
    W_skip: Float[Tensor, "_ _"] | None = None
    """``[d, d_out]``"""
    expected_l0: float | None = None
    """The number of latents that are on at a position, as the file says."""
    prepend_bos: bool | None = None
    context_size: int | None = None
    model_name: str | None = None
    """The model that it was trained on, as the file says."""
    sha256: str = ""
    """A hash of the hashes of its files."""
    location: str = ""
    """The path as the user gave it."""
    folded: bool = False
    """Whether the decoder's norms are folded into the encoder (:func:`fold_decoder_norms`)."""

    def __post_init__(self) -> None:
        _check_tensors(self)

    @property
    def n(self) -> int:
        """The number of latents."""
        return int(self.W_dec.shape[0])

    @property
    def d(self) -> int:
        """The width of what is read."""
        return int(self.W_enc.shape[0])

    @property
    def is_transcoder(self) -> bool:
        """Whether the site that is written differs from the one that is read."""
        return self.reads != self.writes

    def preactivations(self, x: Inputs, only: slice | list[int] | None = None) -> Latents:
        """``h``, before the gate; of the latents in ``only`` where it is given (one column costs one)."""
        columns = slice(None) if only is None else only
        return self._inward(x) @ self.W_enc[:, columns] + self.b_enc[columns]

    def encode(self, x: Inputs, only: slice | list[int] | None = None) -> Latents:
        """The latents ``z``. A top-k gate needs all pre-activations, whichever latents are asked for."""
        columns = slice(None) if only is None else only
        if isinstance(self.gate, TopK):
            return _largest(self.preactivations(x), self.gate)[..., columns]
        h = self.preactivations(x, only)
        if isinstance(self.gate, JumpRelu):
            return h.relu() * (h > self.gate.threshold[columns])
        if isinstance(self.gate, Gated):
            size = self._inward(x) @ (self.W_enc[:, columns] * self.gate.r_mag[columns].exp())
            return (size + self.gate.b_mag[columns]).relu() * (h > 0)
        return h.relu()

    def decode(self, z: Latents, x: Inputs) -> Outputs:
        """The reconstruction from latents; ``x`` is what they were read from (for scale and skip)."""
        scaled, shift, size = self.scaling.forward(x)
        y = z @ self.W_dec + self.b_dec
        if self.W_skip is not None:
            y = y + scaled @ self.W_skip
        return y * size + shift

    def edit(self, x: Inputs, old: Latents, new: Latents) -> Outputs:
        """What an edit of latents adds to the site that is written: ``(new - old) @ W_dec``, scaled back.

        Only the difference is added, so whatever the dictionary does not explain stays as it is.
        """
        _, _, size = self.scaling.forward(x)
        return (new - old) @ self.W_dec * size

    def to(self, device: torch.device, dtype: torch.dtype) -> Dictionary:
        """The same dictionary on another device, or in another precision."""

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device=device, dtype=dtype)

        gate = self.gate
        if isinstance(gate, JumpRelu):
            gate = JumpRelu(moved(gate.threshold))
        elif isinstance(gate, Gated):
            gate = Gated(moved(gate.r_mag), moved(gate.b_mag))
        return replace(
            self,
            gate=gate,
            W_enc=moved(self.W_enc),
            b_enc=moved(self.b_enc),
            W_dec=moved(self.W_dec),
            b_dec=moved(self.b_dec),
            W_skip=None if self.W_skip is None else moved(self.W_skip),
        )

    def _inward(self, x: Inputs) -> Inputs:
        scaled = self.scaling.forward(x)[0]
        return scaled - self.b_dec if self.subtract_b_dec else scaled


def _largest(h: Latents, gate: TopK) -> Latents:
    size = h.abs() if gate.signed else h
    best = size.topk(min(gate.k, h.shape[-1]), dim=-1).indices
    on: Bool[Tensor, "*batch n"] = torch.zeros_like(h, dtype=torch.bool).scatter(-1, best, True)
    kept = torch.where(on, h, 0)
    return kept if gate.signed else kept.relu()


def fold_decoder_norms(dictionary: Dictionary) -> Dictionary:
    """The same dictionary with decoder rows of norm 1, the scale that Neuronpedia shows.

    ``W_enc``, ``b_enc``, thresholds and the magnitudes' bias are multiplied by ``‖W_dec_i‖``, and the rows of
    the decoder are divided by it. Where the ``k`` largest are chosen by unscaled pre-activations, the choice
    would change, so such a dictionary is returned as it is.
    """
    gate = dictionary.gate
    if isinstance(gate, TopK) or dictionary.folded:
        return dictionary
    norms = dictionary.W_dec.norm(dim=1)
    norms = torch.where(norms > 0, norms, 1.0)
    if isinstance(gate, JumpRelu):
        gate = JumpRelu(gate.threshold * norms)
    elif isinstance(gate, Gated):
        gate = Gated(gate.r_mag, gate.b_mag * norms)
    return replace(
        dictionary,
        W_enc=dictionary.W_enc * norms,
        b_enc=dictionary.b_enc * norms,
        W_dec=dictionary.W_dec / norms[:, None],
        gate=gate,
        folded=True,
    )


def scaled_by_decoder_norms(dictionary: Dictionary) -> Dictionary:
    """A top-k dictionary whose file says ``rescale_acts_by_decoder_norm``: its norms are always folded."""
    norms = dictionary.W_dec.norm(dim=1)
    norms = torch.where(norms > 0, norms, 1.0)
    return replace(
        dictionary,
        W_enc=dictionary.W_enc * norms,
        b_enc=dictionary.b_enc * norms,
        W_dec=dictionary.W_dec / norms[:, None],
        folded=True,
    )


def _check_tensors(dictionary: Dictionary) -> None:
    """Raise an ActmaxError that names the first tensor that does not fit the others, or is not finite."""
    if dictionary.W_enc.ndim != 2 or dictionary.W_dec.ndim != 2:
        raise ActmaxError("Encoder and decoder of a dictionary are matrices; this file holds something else.")
    d, n = dictionary.W_enc.shape
    d_out = dictionary.W_dec.shape[1]
    wanted: Mapping[str, tuple[int, ...]] = {
        "b_enc": (n,),
        "W_dec": (n, d_out),
        "b_dec": (d_out,),
        "W_skip": (d, d_out),
        "threshold": (n,),
        "r_mag": (n,),
        "b_mag": (n,),
    }
    tensors = {
        name: value
        for name, value in {**vars(dictionary), **vars(dictionary.gate)}.items()
        if isinstance(value, Tensor)
    }
    for name, value in tensors.items():
        if name in wanted and tuple(value.shape) != wanted[name]:
            raise ActmaxError(
                f"The dictionary's tensor {name} has the shape {tuple(value.shape)} instead of "
                f"{wanted[name]}; the file is damaged or of another format."
            )
        if not bool(torch.isfinite(value).all()):
            raise ActmaxError(
                f"The dictionary holds values that are not finite in {name}; fetch or train it again."
            )
    if dictionary.subtract_b_dec and d != d_out:
        raise ActmaxError(
            f"The dictionary subtracts a decoder bias of {d_out} numbers from an input that is {d} wide; its "
            "file should not set apply_b_dec_to_input."
        )
