"""The shapes that travel through actmax, named once (jaxtyping).

``batch`` counts sequences (restarts, candidates, windows), ``pos`` positions in a sequence, ``width`` the
indices of a site (for example ``d_model``), ``vocab`` the rows of the embedding matrix.
"""

from typing import TypeAlias

from jaxtyping import Float, Int
from torch import Tensor

Ids: TypeAlias = Int[Tensor, "batch pos"]
"""Token ids."""

Embeds: TypeAlias = Float[Tensor, "batch pos d_model"]
"""The output of the embedding module for token ids, or any other vectors in its place."""

Acts: TypeAlias = Float[Tensor, "batch pos width"]
"""The value of one site."""

Scores: TypeAlias = Float[Tensor, " batch"]
"""One number per sequence; larger is better. Row i depends only on sequence i."""
