"""Names for the positions at which a unit is read. (Without torch, for the command line.)"""

from __future__ import annotations

from typing import Literal, TypeAlias

Positions: TypeAlias = Literal["mean", "last", "max"]
"""How one value per position becomes one per sequence."""
Where: TypeAlias = Positions | Literal["min"] | int
"""The same, or the smallest value, or the value at one position (its number after the prefix)."""
Places: TypeAlias = Positions | Literal["each"] | int
"""What ``positions`` may be in a search over tokens; ``each`` makes one search per position."""
