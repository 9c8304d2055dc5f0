"""Even and odd frames refine each other (MonST3R, Zhang et al. 2024; GeoMotion, 2026).

A mask tracker gets the confident pixels of all odd frames as prompts and predicts the even frames; then the other way
round. So every frame is predicted from its neighbours only. Where the published form fails it goes on here: if only one
parity has a confident pixel, its pass serves all frames; if none has, the masks stay what they were.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motion4d.refine.base import MaskTracker
from motion4d.refine.holes import fill_holes

_OBJECT = 1  # the id of what moves: one object for the tracker


class EvenOdd(nn.Module):
    """A refiner (motion4d.refine.base).

    prompt_threshold: probability above which a pixel is part of a prompt; combine: "replace" (GeoMotion) takes the
    tracker's masks, "or" (MonST3R) adds them to the masks that there were; hole_area: background regions of at most so
    many pixels are filled, 0: none. window, overlap: frames.
    """

    def __init__(
        self,
        tracker: MaskTracker,
        *,
        prompt_threshold: float = 0.8,
        combine: str = "replace",
        hole_area: int = 0,
        window: int = 32,
        overlap: int = 4,
    ) -> None:
        super().__init__()
        if not 0 <= prompt_threshold <= 1:
            raise ValueError(f"prompt_threshold is a probability between 0 and 1, not {prompt_threshold}")
        if combine not in ("replace", "or"):
            raise ValueError(f"combine must be replace or or, not {combine!r}")
        if hole_area < 0:
            raise ValueError(f"hole_area is a number of pixels, 0 for none, not {hole_area}")
        if window < 2 or not 0 <= overlap < window:
            raise ValueError(
                f"refinement needs a window of at least 2 and an overlap of 0 to window-1 frames, "
                f"not window={window} and overlap={overlap}"
            )
        self.tracker = tracker
        self.prompt_threshold = prompt_threshold
        self.combine = combine
        self.hole_area = hole_area
        self.window = window
        self.overlap = overlap

    def load(self) -> None:
        """Read the tracker's weights."""
        self.tracker.load()

    @torch.no_grad()
    def forward(self, images: Tensor, probabilities: Tensor, *, threshold: float = 0.5) -> Tensor:
        """Masks [N, H, W] bool from images [N, 3, H, W] and probabilities [N, H, W] of one window.

        threshold: of the masks that stay where there is no confident pixel, and that combine="or" keeps.
        """
        masks = probabilities > threshold
        prompts = probabilities > self.prompt_threshold
        prompted = [frame for frame in range(len(prompts)) if prompts[frame].any()]
        if not prompted:
            return masks
        refined = self._refine(images, prompts, prompted)
        if self.hole_area:
            refined = fill_holes(refined, self.hole_area)
        return refined | masks if self.combine == "or" else refined

    def _refine(self, images: Tensor, prompts: Tensor, prompted: list[int]) -> Tensor:
        refined = torch.empty_like(prompts)
        passes = [[frame for frame in prompted if frame % 2 == parity] for parity in (1, 0)]
        clip = self.tracker.encode(images)
        for frames, other in (passes, passes[::-1]):
            if not frames:
                continue
            given = {_OBJECT: {frame: prompts[frame] for frame in frames}}
            for frame, logits in self.tracker.propagate(clip, given):
                if not other or frame % 2 != frames[0] % 2:
                    refined[frame] = logits[0] > 0
        return refined
