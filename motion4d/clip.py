"""The nouns that every room speaks, and their conventions (written here once; everyone else refers to this page).

- Shape letters: B batch, N frames, H rows, W columns. A missing field is None, never zeros.
- Images are float RGB in [0, 1], never normalised: each network normalises for itself.
- Cameras: OpenCV axes (x right, y down, z forward). The direction is part of a pose's name: `camera_to_world`
  maps camera points to world points. Intrinsics are 3x3, in pixels. Depth is z in the camera frame.
- Pixels: centres at integers; the principal point of a centred camera is ((W-1)/2, (H-1)/2);
  resizing by s maps a coordinate u to (u + 0.5) s - 0.5.
- Flow: displacement in pixels (channel 0 = u right, 1 = v down) on the source frame's grid.
- Confidence is a positive weight, larger is surer; logits stay inside networks (Motion.logits excepted, by name).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

if TYPE_CHECKING:
    from motion4d.framing import Framing


def check_shape(name: str, tensor: Tensor, pattern: str) -> dict[str, int]:
    """Check `tensor` against a pattern such as "B N 3 H W"; return the sizes of the letters.

    Numbers must match exactly, a letter that occurs twice must have one size. Raises ValueError naming the argument.
    """
    wanted = pattern.split()
    sizes: dict[str, int] = {}
    fits = tensor.ndim == len(wanted)
    for want, size in zip(wanted, tensor.shape, strict=False):
        fits = fits and (int(want) == size if want.isdigit() else sizes.setdefault(want, size) == size)
    if not fits:
        raise ValueError(f"{name} must have the shape ({', '.join(wanted)}), but it is {tuple(tensor.shape)}")
    return sizes


class Noun:
    """What the dataclasses below share: moving, slicing and joining all their tensors at once."""

    def _map(self, function: Any) -> Self:
        """The same noun with `function` applied to every tensor, nested nouns included."""
        changed: dict[str, Any] = {}
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                changed[item.name] = function(value)
            elif isinstance(value, Noun):
                changed[item.name] = value._map(function)
            elif isinstance(value, dict):
                changed[item.name] = {key: function(v) if isinstance(v, Tensor) else v for key, v in value.items()}
        return dataclasses.replace(self, **changed)  # type: ignore[type-var]

    def to(self, device: torch.device | str) -> Self:
        """The same noun on `device` (floating point precision is not changed)."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))


@dataclass(frozen=True)
class Source:
    """Where one clip came from: what a result file, a report and an error message name.

    framing: how its frames became the clip's images, for what lies in files at native size; None: they are unchanged.
    step: which frames of the sequence these are: each, or every step-th.
    """

    dataset: str = "unknown"
    sequence: str = "unknown"
    frames: tuple[str, ...] = ()  # stems, in order
    frame_rate: float | None = None
    framing: Framing | None = None
    step: int = 1


@dataclass
class Flow(Noun):
    """Displacements between neighbouring frames, pixels of their own grid.

    forward  [B, N-1, 2, H, W]: frame t -> t+1, on frame t's grid.
    backward [B, N-1, 2, H, W]: frame t+1 -> t, on frame t+1's grid; None if it was not asked for.
    """

    forward: Tensor
    backward: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.forward.shape[-2], self.forward.shape[-1]


@dataclass
class Clip(Noun):
    """N frames of B videos, and whatever truth is known of them.

    images [B, N, 3, H, W]; motion [B, N, H, W] bool (pixel moves in the world); instances [B, N, H, W] int (0 = static
    world); depth [B, N, H, W] (z); camera_to_world [B, N, 4, 4]; intrinsics [B, N, 3, 3]; flow: the true flow;
    valid [B, N, H, W] bool (False: no truth here); estimated_flow: what an estimator said, never truth.
    sources: one per batch item.
    """

    images: Tensor
    motion: Tensor | None = None
    instances: Tensor | None = None
    depth: Tensor | None = None
    camera_to_world: Tensor | None = None
    intrinsics: Tensor | None = None
    flow: Flow | None = None
    valid: Tensor | None = None
    estimated_flow: Flow | None = None
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        check_shape("images", self.images, "B N 3 H W")

    @property
    def num_frames(self) -> int:
        """N."""
        return self.images.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.images.shape[-2], self.images.shape[-1]

    def frames(self, start: int, stop: int) -> Clip:
        """Frames start..stop-1 of every field (flows between them)."""

        def cut(flow: Flow | None) -> Flow | None:
            if flow is None:
                return None
            return flow._map(lambda tensor: tensor[:, start : max(stop - 1, start)])

        per_frame: dict[str, Any] = {
            name: None if value is None else value[:, start:stop]
            for name in ("images", "motion", "instances", "depth", "camera_to_world", "intrinsics", "valid")
            for value in [getattr(self, name)]
        }
        sources = tuple(dataclasses.replace(s, frames=s.frames[start:stop]) for s in self.sources)
        return Clip(**per_frame, flow=cut(self.flow), estimated_flow=cut(self.estimated_flow), sources=sources)

    @staticmethod
    def collate(clips: Sequence[Clip]) -> Clip:
        """Join clips of equal N, H, W along the batch. A field that only some of them have is dropped."""
        sizes = {(clip.num_frames, *clip.size) for clip in clips}
        if len(sizes) != 1:
            raise ValueError(
                f"clips of one batch must agree in frames, height and width, but these have {sorted(sizes)}"
            )
        joined: Clip = join(clips)
        return joined


def join(nouns: Sequence[Any]) -> Any:
    """Nouns of one type joined along the batch: tensors and tuples are concatenated, and a field that only some of them
    have is dropped.
    """
    joined: dict[str, Any] = {}
    for item in dataclasses.fields(nouns[0]):
        values = [getattr(noun, item.name) for noun in nouns]
        if any(value is None for value in values):
            joined[item.name] = None
        elif isinstance(values[0], tuple):
            joined[item.name] = tuple(one for value in values for one in value)
        elif isinstance(values[0], Tensor):
            joined[item.name] = torch.cat(values)
        else:
            joined[item.name] = join(values)
    return type(nouns[0])(**joined)


@dataclass
class Geometry(Noun):
    """What a backbone says of a clip; only what was asked for is there.

    camera_to_world [B, N, 4, 4]; intrinsics [B, N, 3, 3] in pixels of the network's input; points_camera and
    points_world [B, N, H, W, 3] (a frame that all N views share: the first camera's, unless the backbone's docstring
    says otherwise); depth [B, N, H, W]; confidence [B, N, H, W], positive.
    tokens: tap name -> [B, N, special + h*w, C], special tokens first.
    """

    camera_to_world: Tensor | None = None
    intrinsics: Tensor | None = None
    points_camera: Tensor | None = None
    points_world: Tensor | None = None
    depth: Tensor | None = None
    confidence: Tensor | None = None
    scale_is_metric: bool = False
    tokens: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Motion(Noun):
    """Which pixels move in the world: logits [B, N, H, W]."""

    logits: Tensor

    @property
    def probabilities(self) -> Tensor:
        """[B, N, H, W] in [0, 1]."""
        return torch.sigmoid(self.logits.float())

    def masks(self, threshold: float = 0.5) -> Tensor:
        """[B, N, H, W] bool: probability above `threshold`."""
        return self.probabilities > threshold


@dataclass
class Tracks(Noun):
    """Points followed through a clip: positions [B, T, P, 2] (x, y in pixels), visibility [B, T, P] bool."""

    positions: Tensor
    visibility: Tensor


@dataclass
class Scene(Noun):
    """A clip's consistent cameras, depth, points and motion after optimisation, with what it cost.

    losses: name -> final value; optimised: the names of what was free.
    """

    geometry: Geometry
    motion: Motion | None = None
    losses: dict[str, float] = field(default_factory=dict)
    optimised: tuple[str, ...] = ()
