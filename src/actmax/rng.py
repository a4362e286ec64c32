"""One independent stream of random numbers per restart, from one seed.

Restart ``k`` draws the same numbers whether it runs alone or in a batch, and on any device: streams are
made on the CPU from ``numpy.random.SeedSequence((seed, k))``.
"""

from __future__ import annotations

import numpy as np
import torch

from actmax.errors import ActmaxError


def stream(seed: int, *path: int) -> torch.Generator:
    """The generator for one place in the run, for example a restart.

    Raises:
        ActmaxError: a negative seed.
    """
    if seed < 0:
        raise ActmaxError(f"The seed must be a whole number of at least 0 (got {seed}).")
    state = np.random.SeedSequence((seed, *path)).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) << 31 ^ int(state[1]))
