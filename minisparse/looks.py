"""How methods look in every figure: label, colour, marker, and the dash of lines.

Okabe & Ito's colours, safe for colour-blind readers, and a grey. No two methods share both colour and marker.
"""

from typing import NamedTuple


class Look(NamedTuple):
    """How a method looks: `marker` and `dash` in matplotlib's notation."""

    label: str
    colour: str
    marker: str
    dash: str = "-"


LOOKS = {
    "dense": Look("dense", "#000000", "o", ":"),
    "small-dense": Look("small dense", "#999999", "s"),
    "static": Look("static mask", "#0072B2", "v", "--"),
    "snip": Look("SNIP", "#E69F00", "D"),
    "grasp": Look("GraSP", "#E69F00", "s"),
    "synflow": Look("SynFlow", "#E69F00", "h"),
    "deep-r": Look("Deep R", "#009E73", "d"),
    "set": Look("SET", "#009E73", "^"),
    "snfs": Look("SNFS", "#CC79A7", "P"),
    "dsr": Look("DSR", "#CC79A7", "p"),
    "rigl-random": Look("RigL, random growth", "#D55E00", "X"),
    "rigl": Look("RigL", "#D55E00", "*"),
    "granet": Look("GraNet", "#56B4E9", "X"),
    "srigl": Look("SRigL", "#D55E00", "h"),
    "ac-dc": Look("AC/DC", "#56B4E9", "s"),
    "gradual": Look("gradual pruning", "#56B4E9", "<"),
    "lottery": Look("lottery ticket", "#F0E442", ">"),
    "top-kast": Look("Top-KAST", "#E69F00", "*"),
    "ste": Look("straight-through", "#0072B2", "D"),
    "ste-random": Look("straight-through, random", "#0072B2", "X"),
    "l0": Look("L0 gates", "#999999", "h"),
}
