"""Numbers that are too good: what a person should look at before it is believed. Pure.

A leak that the probes miss can only show as a gain. Neither rule says that a number is wrong.
"""

import bz2
from typing import Final

# Bytes that a compressor is tried on; the ratio settles long before.
_ENOUGH: Final = 1 << 20

# A floor, as a share of what a compressor reaches on the same text. bz2 needs 2.04 bits per byte of Python's library,
# a small GPT reaches 1.50 in 20 s, and compressing it with all the training text at hand 1.41. The largest language
# models reach a quarter to a third of what bz2 needs on text: none is trained in a run.
_FLOOR: Final = 0.25

# One change that takes more than a quarter off the incumbent's number. Repairs of a mistuned baseline take less
# (a sixth in the demo), or end above what a compressor reaches.
_JUMP: Final = 0.75


def compressed_bits_per_byte(text: bytes) -> float:
    """What bz2 makes of the text's first mebibyte, in bits per byte; 0 for no text."""
    part = text[:_ENOUGH]
    return 8 * len(bz2.compress(part)) / len(part) if part else 0.0


def too_good(bpb: float, compressed: float, incumbent: float | None = None) -> str:
    """Why a person should look at this number; empty if it is plausible.

    Args:
        bpb: bits per byte of a run.
        compressed: what a compressor reached on the same text; 0: not known.
        incumbent: the number to beat; None: there is none, or it is not known here.
    """
    if bpb < _FLOOR * compressed:
        return f"{bpb:.4f} bits per byte is implausible: bz2 needs {compressed:.2f} for the same text"
    if incumbent is not None and bpb < min(_JUMP * incumbent, compressed or bpb):
        return f"{bpb:.4f} is {1 - bpb / incumbent:.0%} below the incumbent's {incumbent:.4f} in one step"
    return ""
