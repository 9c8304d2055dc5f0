"""The nouns of SegAffordance: one image and a sentence in, one part and how it moves out.

They stand beside motion4d.clip because data builds them and losses read them; its conventions hold (images in [0, 1],
depth is z in metres, OpenCV camera axes, intrinsics in pixels of the image as it is here). Two of SegAffordance's own:

- A point of an image is (x / W, y / H), in [0, 1): the published rule, on which published weights depend.
- A motion's kind is TRANSLATION = 0 or ROTATION = 1. Axis, origin and trajectory are in the camera's frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from motion4d.clip import Noun, check_shape, join

TRANSLATION = 0
ROTATION = 1


@dataclass(frozen=True)
class PartSource:
    """Where one query came from. image: its file or name; item: of the annotation; category: index of the part's class;
    diagonal: of the object, metres, what origin errors are relative to; native: (H, W) of the picture as stored.
    """

    dataset: str = "unknown"
    image: str = "unknown"
    item: str = ""
    category: int | None = None
    diagonal: float | None = None
    native: tuple[int, int] | None = None


@dataclass
class PartMotion(Noun):
    """A part and how it moves: the truth of a query, or the answer to it.

    mask [B, H, W] (truth: bool; answer: probability); point [B, 2]: where to touch; axis [B, 3], unit length; kind [B]
    int; origin [B, 3]: a point of the axis; trajectory [B, T, 3]: the touched point on its way, absolute; track
    [B, T, 2] in pixels with track_valid [B, T] bool: what is seen of it.
    """

    mask: Tensor
    point: Tensor | None = None
    axis: Tensor | None = None
    kind: Tensor | None = None
    origin: Tensor | None = None
    trajectory: Tensor | None = None
    track: Tensor | None = None
    track_valid: Tensor | None = None

    def __post_init__(self) -> None:
        check_shape("mask", self.mask, "B H W")


@dataclass
class PartQuery(Noun):
    """B images with a sentence each, and the truth where it is known.

    images [B, 3, H, W]; depth [B, H, W], 0 where nothing was measured; intrinsics [B, 3, 3].
    """

    images: Tensor
    texts: tuple[str, ...]
    depth: Tensor | None = None
    intrinsics: Tensor | None = None
    truth: PartMotion | None = None
    sources: tuple[PartSource, ...] = ()

    def __post_init__(self) -> None:
        batch = check_shape("images", self.images, "B 3 H W")["B"]
        if len(self.texts) != batch:
            raise ValueError(f"every image has one sentence, but there are {batch} images and {len(self.texts)} texts")

    def __len__(self) -> int:
        """B."""
        return len(self.texts)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.images.shape[-2], self.images.shape[-1]

    @staticmethod
    def collate(queries: Sequence[PartQuery]) -> PartQuery:
        """Join queries of equal size along the batch. A field that only some of them have is dropped."""
        sizes = {query.size for query in queries}
        if len(sizes) != 1:
            raise ValueError(f"queries of one batch must agree in height and width, but these have {sorted(sizes)}")
        joined: PartQuery = join(queries)
        return joined


@dataclass
class PartPrediction(Noun):
    """What the network says, as its losses read it; what a network has no head for is None. h, w: of its maps.

    mask_logits, point_logits, origin_logits [B, h, w]; point, origin_point [B, 2]; axis [B, 3] of any length and
    axis_by_kind [B, 2, 3] (index: kind); kind_logits [B, 2]; latent_mean, latent_log_variance [B, Z] of the posterior;
    trajectory [B, T, 3], relative to its own first point (absolute where the network was made so); trajectory_2d
    [B, T, 2]; point_3d, origin [B, 3]; point_depth, origin_depth [B]; twist [B, 6] (w, v) and, with K hypotheses,
    twist_hypotheses [B, K, 6], trajectory_hypotheses [B, K, T, 3], hypothesis_logits [B, K].
    """

    mask_logits: Tensor
    point_logits: Tensor | None = None
    point: Tensor | None = None
    axis: Tensor | None = None
    axis_by_kind: Tensor | None = None
    kind_logits: Tensor | None = None
    latent_mean: Tensor | None = None
    latent_log_variance: Tensor | None = None
    trajectory: Tensor | None = None
    trajectory_2d: Tensor | None = None
    point_3d: Tensor | None = None
    point_depth: Tensor | None = None
    origin: Tensor | None = None
    origin_logits: Tensor | None = None
    origin_point: Tensor | None = None
    origin_depth: Tensor | None = None
    twist: Tensor | None = None
    twist_hypotheses: Tensor | None = None
    trajectory_hypotheses: Tensor | None = None
    hypothesis_logits: Tensor | None = None
