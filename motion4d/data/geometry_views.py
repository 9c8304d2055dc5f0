"""Random views of clips with depth and cameras: fewer frames, played backwards, mirrored, in other colours.

Truth stays true: a mirrored view is of the mirrored world, with mirrored cameras. What a view does not keep is dropped
(masks, flows, the names of the frames). Random numbers come from torch's generator, which motion4d.data.sampling seeds
by (seed, epoch, index).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.data.sampling import Clips


class GeometryViews:
    """One random view of each clip of another dataset.

    num_frames: of the view; largest_step: its frames are each, every second, ... or every largest_step-th of the clip,
    as far as the clip is long enough; max_depth: what is farther away counts as unknown (a horizon would set the scale
    of its scene); colour: largest relative change of brightness and contrast, one for all frames.
    """

    def __init__(
        self,
        clips: Clips,
        *,
        num_frames: int,
        largest_step: int = 1,
        max_depth: float | None = None,
        colour: float = 0.3,
    ) -> None:
        self.clips = clips
        self.num_frames = num_frames
        self.largest_step = largest_step
        self.max_depth = max_depth
        self.colour = colour

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        """One view."""
        clip = self.clips[index]
        if clip.depth is None or clip.camera_to_world is None or clip.intrinsics is None:
            raise ValueError(f"clip {index} has no depth or no cameras, which views of geometry need")
        frames = self._frames(clip.num_frames)
        mirrored = bool(torch.rand(()) < 0.5)

        def view(maps: Tensor) -> Tensor:
            return maps[:, frames].flip(-1) if mirrored else maps[:, frames]

        camera_to_world, intrinsics = clip.camera_to_world[:, frames], clip.intrinsics[:, frames]
        if mirrored:
            camera_to_world, intrinsics = mirrored_cameras(camera_to_world, intrinsics, clip.size[1])
        valid = torch.ones_like(clip.depth, dtype=torch.bool) if clip.valid is None else clip.valid
        if self.max_depth is not None:
            valid = valid & (clip.depth <= self.max_depth)
        return Clip(
            recoloured(view(clip.images), self.colour),
            depth=view(clip.depth),
            camera_to_world=camera_to_world,
            intrinsics=intrinsics,
            valid=view(valid),
            sources=tuple(replace(source, frames=()) for source in clip.sources),
        )

    def _frames(self, available: int) -> list[int]:
        count = min(self.num_frames, available)
        longest = min(self.largest_step, (available - 1) // max(1, count - 1))
        step = 1 + int(torch.randint(max(1, longest), ()))
        start = int(torch.randint(available - (count - 1) * step, ()))
        frames = list(range(start, start + (count - 1) * step + 1, step))
        return frames[::-1] if torch.rand(()) < 0.5 else frames


def mirrored_cameras(camera_to_world: Tensor, intrinsics: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Cameras [..., 4, 4] and [..., 3, 3] of images whose columns are reversed: the world is mirrored in x."""
    mirror = torch.diag(camera_to_world.new_tensor([-1.0, 1.0, 1.0, 1.0]))
    intrinsics = intrinsics.clone()
    intrinsics[..., 0, 2] = width - 1 - intrinsics[..., 0, 2]
    return mirror @ camera_to_world @ mirror, intrinsics


def recoloured(images: Tensor, strength: float) -> Tensor:
    """[..., 3, H, W] with another brightness, contrast and balance of channels, one for all images."""
    brightness, contrast = (1 + strength * (2 * torch.rand(2) - 1)).tolist()
    balance = 1 + strength / 2 * (2 * torch.rand(3, 1, 1) - 1)
    mean = images.mean()
    return (((images - mean) * contrast + mean) * brightness * balance).clamp(0, 1)
