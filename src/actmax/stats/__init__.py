"""Which units tell two groups of samples apart, and how sure one may be.

Every function takes the activations of all units at once, ``[samples, units]``, and returns a frozen
dataclass of arrays over the units; none loops over units in Python. Arithmetic is float64 whatever the
activations are stored in, and the units are worked through in chunks, so that the extra memory stays small.
"""
