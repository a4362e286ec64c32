"""Reading and writing the tensor at a module's edge: the whole of it, or one part of a fused matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from actmax.models.families import Part, Tap
from actmax.models.model import Model
from actmax.models.sites import d_head, heads
from actmax.shapes import Acts

Fused: TypeAlias = Float[Tensor, "batch pos fused"]

Edit = Callable[[Acts], Acts]
"""A function from the value of a site to the value with which the model continues."""


def attach(
    model: Model, tap: Tap, shape: tuple[int, int], see: Callable[[Acts], None], edit: Edit | None = None
) -> RemovableHandle:
    """Hook a tap: each forward pass calls ``see`` with its value ``[batch, pos, width]``.

    Args:
        model: the model whose module is hooked.
        tap: with the path from the model's root.
        shape: batch and positions (OPT flattens the two inside a block).
        see: receives the value, after ``edit``.
        edit: gives the value with which the model continues instead, if any.

    Returns:
        The handle that removes the hook.
    """
    module = model.net.get_submodule(tap.module)

    def visit(tensor: Tensor) -> Tensor:
        whole = tensor.reshape(*shape, tensor.shape[-1])
        value = _take(model, tap.part, whole)
        if edit is not None:
            value = edit(value)
            tensor = _put(model, tap.part, whole, value).reshape(tensor.shape)
        see(value)
        return tensor

    if tap.side == "in":
        return module.register_forward_pre_hook(_before(visit), with_kwargs=True)
    return module.register_forward_hook(_after(visit, edit is not None))


def carry_on(edit: Edit) -> tuple[Edit, Edit]:
    """An edit between attention and MLP as two edits: of what the MLP reads, and of the block's output.

    ``hook_resid_mid`` is read where it enters the MLP's branch, but the skip connection has left before: what
    was added to the stream has to be added again where the two meet.
    """
    added: list[Acts] = []

    def entering(value: Acts) -> Acts:
        edited = edit(value)
        added.append(edited - value)
        return edited

    return entering, lambda value: value + added.pop()


def _before(visit: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (visit(args[0]), *args[1:]), kwargs
        return args, kwargs | {"hidden_states": visit(kwargs["hidden_states"])}

    return hook


def _after(visit: Callable[[Tensor], Tensor], edited: bool) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        first = visit(output[0] if isinstance(output, tuple) else output)
        if not edited:
            return None
        return (first, *output[1:]) if isinstance(output, tuple) else first

    return hook


def _bounds(model: Model, part: Part, width: int) -> tuple[int, int]:
    """The place of a part in a matrix whose parts follow one another."""
    if part in ("gate", "up"):
        return (0, width // 2) if part == "gate" else (width // 2, width)
    q, kv = (heads(model, f"attn.hook_{name}") * d_head(model) for name in "qk")
    return {"q": (0, q), "k": (q, q + kv), "v": (q + kv, q + 2 * kv)}[part]


def _take(model: Model, part: Part, whole: Fused) -> Acts:
    if part == "all":
        return whole
    if model.family.fused == "per_head" and part in ("q", "k", "v"):
        split = whole.reshape(*whole.shape[:2], heads(model, "attn.hook_q"), 3, d_head(model))
        piece: Acts = split[..., "qkv".index(part), :].flatten(-2)
        return piece
    start, stop = _bounds(model, part, whole.shape[-1])
    return whole[..., start:stop]


def _put(model: Model, part: Part, whole: Fused, value: Acts) -> Fused:
    if part == "all":
        return value
    if model.family.fused == "per_head" and part in ("q", "k", "v"):
        n, size = heads(model, "attn.hook_q"), d_head(model)
        split = list(whole.reshape(*whole.shape[:2], n, 3, size).unbind(-2))
        split["qkv".index(part)] = value.reshape(*value.shape[:2], n, size)
        return torch.stack(split, dim=-2).flatten(-3)
    start, stop = _bounds(model, part, whole.shape[-1])
    return torch.cat([whole[..., :start], value, whole[..., stop:]], dim=-1)
