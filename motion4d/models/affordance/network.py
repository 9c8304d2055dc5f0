"""SegAffordance's network (Lou et al. 2025, after CRIS): an image, its depth and a sentence -> one part and its motion.

Attribute names are the published keys, so that its own checkpoints and published ones are the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.backbones.clip import ClipBackbone
from motion4d.framing import Framing
from motion4d.layers.imagenet import IMAGE_MEAN, IMAGE_STD
from motion4d.models.affordance.decoder import Decoder
from motion4d.models.affordance.depth import DepthEncoder
from motion4d.models.affordance.motion import KindHint, LatentMotion, Said
from motion4d.models.affordance.neck import Neck
from motion4d.models.affordance.places import PixelDepth, Point, lifted
from motion4d.models.affordance.projector import Projector, sample, soft_argmax
from motion4d.models.affordance.trajectory import Trajectory, Twist, chosen
from motion4d.models.affordance.weights import Similar, load_checkpoint
from motion4d.models.geometry_training import Stage
from motion4d.models.pairs_training import freeze
from motion4d.part import PartPrediction, PartQuery

Part = Callable[..., Any]  # a class with some of its arguments; the widths are added here


class Affordance(nn.Module):
    """PartQuery -> PartPrediction.

    framing: (H, W) -> Framing, how a photo becomes an input; depth: None, the network sees the image only; depth_scale:
    metres -> the unit that the weights are used to (published ones of OPD: 1000); channels: of the pyramid.

    Heads, None where there is none: motion: axis and kind; trajectory and trajectory_2d: of the touched point; twist;
    kind_hint: it may be told the kind; point_3d: where to touch, instead of a point of the image; origin: a point of
    the axis; point_depth, origin_map_depth: depth where to touch, and of the axis' point with a map of its own, both of
    which a camera lifts; origin_depth: of that point, without a map. local_origin: its depth reads the map there.

    pool_predicted: training looks at the part where the network sees it, not where it is; frozen: patterns (fnmatch) of
    parameter names; clip_statistics: whether CLIP's batch norms count in training, which published weights did not.
    """

    def __init__(
        self,
        backbone: ClipBackbone,
        framing: Callable[[int, int], Framing],
        *,
        neck: Part = Neck,
        decoder: Part = Decoder,
        projector: Part = Projector,
        depth: Part | None = DepthEncoder,
        depth_scale: float = 1.0,
        motion: Part | None = LatentMotion,
        trajectory: Part | None = Trajectory,
        trajectory_2d: Part | None = None,
        twist: Part | None = None,
        kind_hint: Part | None = None,
        point_3d: Part | None = None,
        origin: Part | None = None,
        point_depth: Part | None = None,
        origin_depth: Part | None = None,
        origin_map_depth: Part | None = None,
        local_origin: bool = False,
        pool_predicted: bool = False,
        frozen: Sequence[str] = (),
        clip_statistics: bool = False,
    ) -> None:
        super().__init__()
        if point_3d is not None and (origin_map_depth is not None or point_depth is not None):
            raise ValueError(
                "point_3d takes the place of a point of the image, so origin_map_depth and point_depth cannot stand "
                "beside it; set one of them to null"
            )
        self.framing = framing
        self.depth_scale = depth_scale
        self.pool_predicted = pool_predicted
        self.clip_statistics = clip_statistics
        self.backbone = backbone
        fine, middle, coarse = backbone.channels
        self.depth_encoder: DepthEncoder | None = None
        if depth is not None:
            self.depth_encoder = depth(backbone.stride)
            fine, middle = fine + self.depth_encoder.channels[0], middle + self.depth_encoder.channels[1]
        self.neck: Neck = neck([fine, middle, coarse], backbone.sentence_width)
        dim = self.neck.channels_out
        self.decoder: Decoder = decoder(dim, backbone.word_width)
        maps = 1 + (point_3d is None) + (origin_map_depth is not None)
        self.proj: Projector = projector(dim, backbone.sentence_width, maps)

        feature = dim + coarse + backbone.sentence_width
        self.motion_type_embedding: KindHint | None = _made(kind_hint)
        hint = 0 if self.motion_type_embedding is None else self.motion_type_embedding.embedding_dim
        self.point_3d_head: Point | None = _made(point_3d, feature + hint)
        condition = feature + hint + (2 if point_3d is None else 3) + 2 * (origin_map_depth is not None)
        made: Any = getattr(motion, "func", motion)
        self.motion_head: str = "" if motion is None else made.published
        if motion is not None:
            self.add_module(self.motion_head, motion(feature, condition))
        self.trajectory_predictor: Trajectory | None = _made(trajectory, condition)
        self.trajectory_2d_predictor: Trajectory | None = _made(trajectory_2d, condition)
        self.twist_predictor: Twist | None = _made(twist, condition)
        self.origin_head: Point | None = _made(origin, condition)
        self.origin_depth_head: PixelDepth | None = _made(origin_depth, condition)
        self.origin_depth_head_g7: PixelDepth | None = _made(origin_map_depth, condition, dim if local_origin else 0)
        self.point_depth_head: PixelDepth | None = _made(point_depth, condition, dim)
        self._check_hypotheses()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGE_STD).view(3, 1, 1), persistent=False)
        freeze(self, frozen)
        nn.Module.to(self, memory_format=torch.channels_last)  # type: ignore[call-overload]  # fastest for convolutions
        self.train(self.training)

    @property
    def motion(self) -> nn.Module | None:
        """The head of axis and kind."""
        return getattr(self, self.motion_head) if self.motion_head else None

    @property
    def initial(self) -> Similar:
        """All of it, for pretrained.initial=FILE: what fits by name and shape is loaded, the rest is reported."""
        return Similar(self)

    def load_checkpoint(self, path: str | Path) -> None:
        """A published checkpoint of any layout, strictly; or what a training of ours wrote."""
        load_checkpoint(self, path)

    def train(self, mode: bool = True) -> Affordance:
        """Batch norms whose weights are frozen keep their statistics, and so does CLIP (clip_statistics)."""
        super().train(mode)
        if mode:
            if not self.clip_statistics:
                self.backbone.eval()
            for module in self.modules():
                own = list(module.parameters(recurse=False))
                if isinstance(module, nn.modules.batchnorm._BatchNorm) and not any(p.requires_grad for p in own):
                    module.eval()
        return self

    def forward(
        self,
        query: PartQuery,
        progress: Stage | None = None,
        *,
        noise: Tensor | None = None,
        kinds: Tensor | None = None,
    ) -> PartPrediction:
        """With a true axis the code of a latent motion is read off it, as in training and validation.

        noise [B, latent]: drawn in training, else 0; kinds [B] int: what a kind_hint is told, 2 is unknown.
        """
        axis = None if query.truth is None else query.truth.axis
        return self._said(query, axis=axis, noise=noise, kinds=kinds)

    def predict(self, query: PartQuery, noise: Tensor | None = None, *, kinds: Tensor | None = None) -> PartPrediction:
        """Without looking at the truth: noise [B, latent] is the code; None: 0, its mean."""
        return self._said(PartQuery(query.images, query.texts, query.depth, query.intrinsics), noise=noise, kinds=kinds)

    def _said(
        self, query: PartQuery, *, noise: Tensor | None, kinds: Tensor | None, axis: Tensor | None = None
    ) -> PartPrediction:
        self._check(query)
        batch, truth = len(query), query.truth
        maps, coarse, sentence = self._seen(query)
        logits = self.proj(maps, sentence)
        names = ["mask_logits"]
        names += [] if self.point_3d_head is not None else ["point_logits"]
        names += [] if self.origin_depth_head_g7 is None else ["origin_logits"]
        said: Said = dict(zip(names, logits.unbind(1), strict=True))
        taught = self.training and truth is not None and not self.pool_predicted
        mask = truth.mask if taught and truth is not None else said["mask_logits"].detach().sigmoid()
        feature = torch.cat((_pooled(maps, mask), coarse.mean((2, 3)), sentence), 1)

        hints = []
        if self.motion_type_embedding is not None:
            told = self.motion_type_embedding.said(None if truth is None else truth.kind, batch)
            hints = [self.motion_type_embedding(told if kinds is None else kinds)]
        if self.point_3d_head is not None:
            said["point_3d"] = self.point_3d_head(torch.cat((feature, *hints), 1))
            parts = [feature, *hints, said["point_3d"]]
        else:
            said["point"] = soft_argmax(said["point_logits"])
            parts = [feature, said["point"], *hints]
        if "origin_logits" in said:
            said["origin_point"] = soft_argmax(said["origin_logits"])
            parts.append(said["origin_point"])
        condition = torch.cat(parts, 1)

        if isinstance(self.motion, nn.Module):
            code = self._noise(noise, batch, condition.device)
            said |= self.motion(feature, condition, axis if self._is_latent else None, code)
        said |= self._ways(condition)
        said |= self._places(condition, maps, said, query)
        return PartPrediction(**{name: value.float() for name, value in said.items()})

    def _seen(self, query: PartQuery) -> tuple[Tensor, Tensor, Tensor]:
        """The map that has read the sentence, the coarse map of the image, the sentence."""
        tokens = self.backbone.tokenize(query.texts).to(query.images.device)
        words, sentence, are_words = self.backbone.encode_text(tokens)
        images = ((query.images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        fine, middle, coarse = self.backbone.encode_image(images)
        if self.depth_encoder is not None and query.depth is not None:
            fine_depth, middle_depth = self.depth_encoder(query.depth[:, None] * self.depth_scale)
            fine, middle = torch.cat((fine, fine_depth), 1), torch.cat((middle, middle_depth), 1)
        maps = self.decoder(self.neck(fine, middle, coarse, sentence), words, are_words)
        return maps, coarse, sentence

    def _ways(self, condition: Tensor) -> Said:
        """Twist and trajectories; of several hypotheses the likeliest."""
        said = {} if self.twist_predictor is None else self.twist_predictor(condition)
        if self.trajectory_predictor is not None:
            ways = self.trajectory_predictor(condition)
            if "hypothesis_logits" in said:
                said["trajectory_hypotheses"] = ways
                said["trajectory"] = chosen(ways, said["hypothesis_logits"])
            else:
                said["trajectory"] = ways[:, 0]
        if self.trajectory_2d_predictor is not None:
            said["trajectory_2d"] = self.trajectory_2d_predictor(condition)[:, 0]
        return said

    def _places(self, condition: Tensor, maps: Tensor, known: Said, query: PartQuery) -> Said:
        """Depths, and the points that a camera makes of them."""
        said: Said = {}
        if self.origin_head is not None:
            said["origin"] = self.origin_head(condition)
        if self.origin_depth_head is not None:
            said["origin_depth"] = self.origin_depth_head(condition)
        for name, head, place in (
            ("point", self.point_depth_head, "point_3d"),
            ("origin", self.origin_depth_head_g7, "origin"),
        ):
            if head is not None:
                where = known["point" if name == "point" else "origin_point"]
                local = [sample(maps, where)] if head.reads_map else []
                depth = said[f"{name}_depth"] = head(torch.cat((condition, *local), 1))
                if query.intrinsics is not None:
                    said[place] = lifted(where, depth, query.intrinsics, query.size)
        return said

    @property
    def _is_latent(self) -> bool:
        return getattr(self.motion, "latent", 0) > 0

    def _noise(self, noise: Tensor | None, batch: int, device: torch.device) -> Tensor:
        if noise is not None:
            return noise
        shape = (batch, getattr(self.motion, "latent", 0))
        return torch.randn(shape, device=device) if self.training else torch.zeros(shape, device=device)

    def _check(self, query: PartQuery) -> None:
        multiple = 4 * self.backbone.stride
        if any(side % multiple for side in query.size):
            raise ValueError(
                f"images of {query.size[0]}x{query.size[1]} do not fit: both sides are multiples of {multiple} pixels"
            )
        if self.depth_encoder is not None and query.depth is None:
            raise ValueError(
                f"this network reads depth, but {_name(query)} has none: give depth_image=FILE, or choose a model "
                "that was trained without (model.depth=null)"
            )

    def _check_hypotheses(self) -> None:
        twists = 1 if self.twist_predictor is None else self.twist_predictor.hypotheses
        ways = twists if self.trajectory_predictor is None else self.trajectory_predictor.hypotheses
        if twists != ways or (twists > 1 and self.trajectory_predictor is None):
            raise ValueError(
                f"every hypothesis is a twist and a trajectory, but there are {twists} twists and {ways} trajectories: "
                "set model.twist.hypotheses and model.trajectory.hypotheses alike"
            )


def _made(part: Part | None, *widths: int) -> Any:
    return None if part is None else part(*widths)


def _name(query: PartQuery) -> str:
    return query.sources[0].image if query.sources else "the query"


def _pooled(maps: Tensor, mask: Tensor) -> Tensor:
    """The mean of maps [B, C, h, w] over a part [B, H, W] -> [B, C]."""
    weights = F.interpolate(mask[:, None].to(maps.dtype), size=maps.shape[-2:], mode="bilinear")
    return (maps * weights).sum((2, 3)) / (weights.sum((2, 3)) + 1e-8)
