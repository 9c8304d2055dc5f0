"""ProceduralParts: queries of SegAffordance without a download. Sample k of seed s is the same on every machine.

Truth, all exact and mutually consistent: the part's mask, depth (metres), the point to touch (a pixel of the handle),
motion in the camera's frame, the touched point's way and what is seen of it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from motion4d.data.articulated import scenes, truth
from motion4d.data.articulated.sentences import NOUNS, sentence
from motion4d.data.articulated.variety import Variety
from motion4d.data.procedural import photography, render
from motion4d.data.procedural.shade import shade
from motion4d.part import PartQuery, PartSource

_ATTEMPTS = 10

VERSION = 1  # of the renderer: raised by whoever changes what a sample looks like


class ProceduralParts:
    """`num_samples` pictures of random furniture, one query each."""

    def __init__(
        self,
        num_samples: int,
        height: int = 128,
        width: int = 160,
        seed: int = 0,
        variety: Variety | None = None,
        name: str = "procedural_parts",
    ) -> None:
        if min(num_samples, height, width) < 1:
            raise ValueError(
                "ProceduralParts needs at least one sample, row and column, but got "
                f"num_samples={num_samples}, height={height}, width={width}"
            )
        self.num_samples = num_samples
        self.size = (height, width)
        self.seed = seed
        self.variety = variety or Variety()
        self.name = name

    def __len__(self) -> int:
        return self.num_samples

    @property
    def identity(self) -> str:
        """Text that differs whenever the samples do; the number of samples does not change any of them."""
        return f"{self.name} {VERSION} {self.seed} {self.size} {self.variety}"

    @torch.no_grad()
    def __getitem__(self, index: int) -> PartQuery:
        """Sample `index`, B = 1."""
        if not 0 <= index < self.num_samples:
            raise IndexError(f"sample {index} of {self.num_samples}")
        for attempt in range(_ATTEMPTS):
            rng = np.random.default_rng([self.seed, index, attempt])
            room = scenes.sample(rng, self.variety, *self.size)
            seen = render.cast(room.scenery, *self.size, torch.device("cpu"))
            part = seen.part[0].numpy()
            visible = truth.askable(room, part, self.variety.least_mask_share)
            if visible:
                break
        else:
            raise ValueError(
                f"{self.name}: no part of sample {index} is large enough in {_ATTEMPTS} attempts; lower "
                f"Variety.least_mask_share ({self.variety.least_mask_share}) or raise Variety.fill"
            )
        return self._query(rng, room, seen, visible[int(rng.integers(len(visible)))], index)

    def _query(self, rng: Generator, room: scenes.Room, seen: render.Visible, target: int, index: int) -> PartQuery:
        movables = room.furniture.movables
        text = sentence(rng, movables, target, self.variety.synonym_share)
        images = photography.develop(shade(room.scenery, seen), torch.zeros(1, 2, *self.size), room.scenery.look)
        source = PartSource(
            dataset=self.name,
            image=f"{index:06d}_{room.furniture.kind}",
            item=str(target),
            category=NOUNS.index(movables[target].noun),
            diagonal=float(np.linalg.norm(room.furniture.size)),
            native=self.size,
        )
        return PartQuery(
            images=images,
            texts=(text,),
            depth=seen.depth.clone(),
            intrinsics=_single(render.intrinsics(room.scenery.focal, *self.size))[None],
            truth=truth.motion(room, seen, target),
            sources=(source,),
        )


def _single(values: NDArray[np.float64]) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32)
