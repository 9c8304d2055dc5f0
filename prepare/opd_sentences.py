"""Sentences for parts that nobody described: one of four phrasings for each kind of part and motion."""

from __future__ import annotations

import random

SENTENCES = {
    "translation": (
        "Pull the {part} open.",
        "Slide the {part} out.",
        "Open the {part} by pulling it straight out.",
        "Draw the {part} towards you.",
    ),
    "rotation": (
        "Swing the {part} open.",
        "Open the {part} on its hinge.",
        "Turn the {part} about its hinge to open it.",
        "Pull the {part} so that it swings open.",
    ),
}
LIDS = {
    "translation": (
        "Slide the {part} off.",
        "Push the {part} aside.",
        "Open it by sliding the {part}.",
        "Move the {part} straight to the side.",
    ),
    "rotation": (
        "Lift the {part}.",
        "Flip the {part} open.",
        "Raise the {part} on its hinge.",
        "Open it by tilting the {part} up.",
    ),
}
SOURCE = "templates of motion4d"


def template(part: str, motion: str, *, split: str, number: int, seed: int) -> str:
    """The sentence of annotation `number`: the same for the same seed, whatever else is described."""
    choices = (LIDS if part == "lid" else SENTENCES)[motion]
    return random.Random(f"{seed} {split} {number}").choice(choices).format(part=part)
