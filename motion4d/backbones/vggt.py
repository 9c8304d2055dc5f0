"""VGGT: feed-forward cameras, depth and points of N views, relative to the first one (Wang et al., CVPR 2025).

A trunk (motion4d.backbones.vggt_aggregator) whose layers attend inside each frame and over all frames in turn, and
heads that read its last layer's camera tokens or four of its layers' patches. Module attributes are the published
checkpoint keys. Scale is arbitrary, one for all views of a forward. Heads are computed in float32 whatever autocast
says.

World frame: the first camera's, as the network puts it. Its own first pose is the identity only up to the network's
error, and nothing is re-expressed, so that poses and world points agree.

Token taps (all [B, N, 1 + registers + h*w, C], the camera token first, then the registers):
  encoder         what enters the first layer
  decoder_0 ...   a layer's output: its frame block's tokens beside its global block's; later layers do not run

| deviation from the released code | why |
|---|---|
| only the layers that are read are kept, only the asked heads run | memory and time |
| RoPE angles stay float32 under bf16 | see motion4d.layers.rope |
| intrinsics: centred by the half-pixel rule, a field of view of 0 is guarded | see motion4d.geometry.pose_encoding |
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from motion4d.backbones.base import Backbone, CapabilityError
from motion4d.backbones.vggt_aggregator import Aggregator, GlobalAttention, plain_attention
from motion4d.backbones.vggt_camera import CameraHead
from motion4d.backbones.vggt_prediction import VGGTPrediction, geometry_of
from motion4d.backbones.vggt_tracks import PointTracks, TrackHead
from motion4d.clip import Geometry, check_shape
from motion4d.io.weights import load_strict, read_state_dict
from motion4d.layers.chunks import in_chunks
from motion4d.layers.dpt import DenseHead

_log = logging.getLogger(__name__)

# Checkpoint prefix of each head that may be left out; the encoder's mask token serves its pretraining only.
_PREFIX_OF_HEAD = {"pose": "camera_head.", "depth": "depth_head.", "points": "point_head."}
_TRACK_PREFIX = "track_head."
_UNUSED = ("aggregator.patch_embed.mask_token",)


class VGGT(Backbone):
    """VGGT; the defaults are the published network (1.26 billion parameters, 66 million of them in the track head).

    heads: which of "points", "pose", "depth" are built; "confidence" comes with points and with depth.
    head_layers: the four layers that the dense heads read, from shallow to deep; head_widths, head_features: theirs.
    track_head: None leaves it out. encoder: see Aggregator; None: the DINOv2 one that the numbers here describe.
    motion: see Aggregator; pose_unit: see CameraHead.
    frames_at_once: at most so many frames (over the batch) pass the encoder and the dense heads together; None: all.
    """

    def __init__(
        self,
        *,
        dim: int = 1024,
        encoder_depth: int = 24,
        encoder_heads: int = 16,
        encoder_registers: int = 4,
        depth: int = 24,
        attention_heads: int = 16,
        registers: int = 4,
        camera_depth: int = 4,
        camera_heads: int = 16,
        camera_iterations: int = 4,
        head_layers: Sequence[int] = (4, 11, 17, 23),
        head_widths: Sequence[int] = (256, 512, 1024, 1024),
        head_features: int = 256,
        mlp_ratio: float = 4.0,
        patch_size: int = 14,
        position_grid: int = 37,
        layer_scale: float = 0.01,
        rope_base: float = 100.0,
        heads: Collection[str] = ("points", "pose", "depth"),
        track_head: TrackHead | None = None,
        frames_at_once: int | None = 8,
        encoder: nn.Module | None = None,
        motion: Callable[[Tensor], Tensor] | None = None,
        pose_unit: float = 1.0,
    ) -> None:
        super().__init__()
        self._built = _checked_heads(heads)
        self.available_heads = self._built | ({"confidence"} if self._built & {"points", "depth"} else set())
        self.patch_size = patch_size
        self.special_tokens = 1 + registers
        self.frames_at_once = frames_at_once
        self.head_layers = _checked_layers(head_layers, depth)
        self.aggregator = Aggregator(
            dim=dim,
            encoder_depth=encoder_depth,
            encoder_heads=encoder_heads,
            encoder_registers=encoder_registers,
            depth=depth,
            heads=attention_heads,
            registers=registers,
            mlp_ratio=mlp_ratio,
            patch_size=patch_size,
            position_grid=position_grid,
            layer_scale=layer_scale,
            rope_base=rope_base,
            frames_at_once=frames_at_once,
            encoder=encoder,
            motion=motion,
        )

        def dense_head(channels: int) -> DenseHead:
            return DenseHead(2 * dim, patch_size, channels, features=head_features, widths=head_widths)

        if "pose" in self._built:
            self.camera_head = CameraHead(
                2 * dim,
                depth=camera_depth,
                heads=camera_heads,
                iterations=camera_iterations,
                mlp_ratio=mlp_ratio,
                layer_scale=layer_scale,
                unit=pose_unit,
            )
        if "points" in self._built:
            self.point_head = dense_head(4)
        if "depth" in self._built:
            self.depth_head = dense_head(2)
        self.track_head = track_head

    @property
    def available_taps(self) -> dict[str, int]:
        """Tap name -> channels."""
        dim = self.aggregator.dim
        return {"encoder": dim} | {f"decoder_{layer}": 2 * dim for layer in range(self.aggregator.depth)}

    @property
    def attention_blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """See Backbone: a frame block and a global block per layer."""
        layers = zip(self.aggregator.frame_blocks, self.aggregator.global_blocks, strict=True)
        return tuple(block for inside, over in layers for block in (("frame", inside), ("global", over)))

    def load_weights(self, path: str | Path) -> None:
        """Load the published file strictly, without the entries of heads that were not built."""
        load_strict(self, self.own_part(read_state_dict(path)), source=path)

    def own_part(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The entries of a published file that belong to what was built here; the log says which heads are left out."""
        absent = [prefix for head, prefix in _PREFIX_OF_HEAD.items() if head not in self._built]
        if self.track_head is None:
            absent.append(_TRACK_PREFIX)
        left_out = [prefix for prefix in absent if any(key.startswith(prefix) for key in state)]
        if left_out:
            _log.info("not built, so not loaded: %s", ", ".join(left_out))
        return {key: value for key, value in state.items() if not key.startswith((*absent, *_UNUSED))}

    def forward(self, images: Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> Geometry:
        """Only what was asked for (contract: motion4d.backbones.base).

        "pose" gives camera_to_world and intrinsics; "depth" gives depth; "points" gives points_world. With "pose",
        points_camera is unprojected from the depth if that was asked for, and is else points_world seen from the
        cameras (and depth its z); points_world is points_camera moved to the world if "points" was not asked for.
        "confidence" is the depth head's if "depth" was asked for, or if "points" was not.
        """
        return geometry_of(self.predict(images, heads=heads, taps=taps), images)

    def predict(self, images: Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> VGGTPrediction:
        """The published form: pose encodings of every iteration, both heads' confidences.

        images: [B, N, 3, H, W] in [0, 1], H and W multiples of the patch size.
        """
        check_shape("images", images, "B N 3 H W")
        self.check_request(images, heads, taps)
        return self._answer(self._tokens(images, heads, taps), self._grid(images), heads, taps)

    def track_features(self, images: Tensor) -> Tensor:
        """Images [B, N, 3, H, W] in [0, 1] -> feature maps [B, N, C, h, w] for `track`, at the head's stride."""
        head = self._tracking()
        check_shape("images", images, "B N 3 H W")
        self.check_request(images, (), ())
        layers = self.aggregator(self.aggregator.embed(images), self._grid(images), self.head_layers)
        patches = [layers[layer][:, :, self.special_tokens :] for layer in self.head_layers]
        with torch.autocast(images.device.type, enabled=False):
            return self._dense(head.feature_extractor, patches, self._grid(images))

    def track(self, features: Tensor, points: Tensor, *, frame: int = 0) -> PointTracks:
        """Follow points [B, P, 2] (x, y in image pixels of `frame`) through all frames of `track_features`."""
        with torch.autocast(features.device.type, enabled=False):
            return self._tracking()(features, points.float(), frame=frame)

    def _tracking(self) -> TrackHead:
        if self.track_head is None:
            raise CapabilityError(f"this {type(self).__name__} was built without a track head; give it track_head")
        return self.track_head

    def _grid(self, images: Tensor) -> tuple[int, int]:
        return images.shape[-2] // self.patch_size, images.shape[-1] // self.patch_size

    def _tokens(
        self,
        images: Tensor,
        heads: Collection[str],
        taps: Collection[str],
        attention: GlobalAttention = plain_attention,
    ) -> dict[str, Tensor]:
        """The asked taps, and what the asked heads read."""
        wanted = {int(tap.removeprefix("decoder_")) for tap in taps if tap.startswith("decoder_")}
        if self._dense_heads(heads):
            wanted |= set(self.head_layers)
        if "pose" in heads:
            wanted.add(self.aggregator.depth - 1)
        embedded = self.aggregator.embed(images)
        layers = self.aggregator(embedded, self._grid(images), wanted, attention)
        return {"encoder": embedded} | {f"decoder_{layer}": tokens for layer, tokens in layers.items()}

    def _answer(
        self, tokens: Mapping[str, Tensor], grid: tuple[int, int], heads: Collection[str], taps: Collection[str]
    ) -> VGGTPrediction:
        answer = VGGTPrediction(tokens={tap: tokens[tap] for tap in taps})
        with torch.autocast(tokens["encoder"].device.type, enabled=False):
            if "pose" in heads:
                answer.pose_encodings = self.camera_head(
                    tokens[f"decoder_{self.aggregator.depth - 1}"][:, :, 0].float()
                )
            dense = self._dense_heads(heads)
            if dense:
                patches = [tokens[f"decoder_{layer}"][:, :, self.special_tokens :] for layer in self.head_layers]
            if "depth" in dense:
                depth, logits = self._dense(self.depth_head, patches, grid).unbind(2)
                answer.depth = depth.exp() if "depth" in heads else None
                answer.depth_confidence = 1 + logits.exp() if "confidence" in heads else None
            if "points" in dense:
                points, logits = self._dense(self.point_head, patches, grid).split((3, 1), dim=2)
                points = points.movedim(2, -1)
                answer.points_world = points.sign() * torch.expm1(points.abs()) if "points" in heads else None
                answer.points_confidence = 1 + logits.squeeze(2).exp() if "confidence" in heads else None
        return answer

    def _dense_heads(self, heads: Collection[str]) -> set[str]:
        """Which dense heads answer: "confidence" alone is the depth head's where there is one."""
        asked = {"points", "depth"} & set(heads)
        if "confidence" in heads and not asked:
            return {"depth"} if "depth" in self._built else {"points"}
        return asked

    def _dense(self, head: nn.Module, patches: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """A dense head on layers [B, N, h*w, C] -> [B, N, channels, H, W]; frames are independent of each other."""
        frames = patches[0].shape[:2]

        def run(*layers: Tensor) -> Tensor:
            return head([layer.float() for layer in layers], grid)

        return in_chunks(run, *(layer.flatten(0, 1) for layer in patches), at_once=self.frames_at_once).unflatten(
            0, frames
        )


def _checked_heads(heads: Collection[str]) -> frozenset[str]:
    unknown = sorted(set(heads) - set(_PREFIX_OF_HEAD))
    if unknown:
        raise ValueError(f"VGGT can have the heads {', '.join(sorted(_PREFIX_OF_HEAD))}, not {', '.join(unknown)}")
    return frozenset(heads)


def _checked_layers(layers: Sequence[int], depth: int) -> tuple[int, ...]:
    if len(layers) != 4 or not all(0 <= layer < depth for layer in layers):
        raise ValueError(f"head_layers must be four of the layers 0 to {depth - 1}, not {list(layers)}")
    return tuple(layers)
