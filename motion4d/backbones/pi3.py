"""Pi3: permutation-equivariant feed-forward geometry of N views (Wang et al. 2025).

A DINOv2 encoder per frame, a decoder whose blocks alternate between attention inside each frame (even index) and over
all frames (odd index), and one small transformer per head. Module attributes are the published checkpoint keys, so
`model.safetensors` loads strictly without a table. Scale is arbitrary, one for all N views of a forward.

World frame: the network answers in a common frame of its own choice; `forward` re-expresses it in the first camera,
`predict` gives it as published. Heads are computed in float32 whatever autocast says.

Token taps (all [B, N, registers + h*w, C], the learnt registers first):
  encoder         what enters the decoder: registers and normalised encoder patches
  decoder_0 ...   the output of each decoder block; blocks after the last one asked for do not run
  point_hidden, conf_hidden, camera_hidden    the output of each head's transformer

| deviation from the released code | why |
|---|---|
| RoPE angles stay float32 under bf16 | see motion4d.layers.rope |
| torch chooses the attention kernel; only the asked heads run | memory and time |
| gradient of the rotation is finite where singular values coincide | see motion4d.geometry.poses |
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from motion4d.backbones.base import Backbone
from motion4d.backbones.pi3_camera import CameraHead
from motion4d.clip import Geometry, check_shape
from motion4d.geometry.poses import relative_to_first
from motion4d.geometry.projection import intrinsics_from_rays, transform_points
from motion4d.io.weights import load_strict, read_state_dict
from motion4d.layers.block import Block
from motion4d.layers.chunks import in_chunks
from motion4d.layers.imagenet import IMAGE_MEAN, IMAGE_STD
from motion4d.layers.pixel_head import PixelHead
from motion4d.layers.rope import grid_rotary
from motion4d.layers.token_decoder import TokenDecoder
from motion4d.layers.vit import VisionTransformer

_TAP_OF_HEAD = {"points": "point_hidden", "confidence": "conf_hidden", "pose": "camera_hidden"}
_DECODER_OF_TAP = {"point_hidden": "point_decoder", "conf_hidden": "conf_decoder", "camera_hidden": "camera_decoder"}

# (decoder block, its output [B, N, registers + h*w, dim]) -> what goes on in its place
AfterBlock = Callable[[int, Tensor], Tensor]


@dataclass
class Pi3Prediction:
    """The network's own answer: camera_to_common [B, N, 4, 4], points_camera [B, N, H, W, 3], confidence_logits
    [B, N, H, W] (probability = sigmoid), tokens as in Geometry. What was not asked for is None.
    """

    camera_to_common: Tensor | None = None
    points_camera: Tensor | None = None
    confidence_logits: Tensor | None = None
    tokens: dict[str, Tensor] = field(default_factory=dict)


class Pi3(Backbone):
    """Pi3; the defaults are the published network (959 M parameters).

    heads: which of "points", "pose", "confidence" are built at all.
    normalizations: how often images in [0, 1] are normalised with ImageNet's mean and standard deviation. Pi3 does it
        once; GeoMotion's published weights were trained on frames that had been normalised twice: give 2 for them.
    frames_at_once: at most so many frames (over the batch) pass the encoder and the heads together; None: all.
    """

    image_mean: Tensor
    image_std: Tensor

    def __init__(
        self,
        *,
        dim: int = 1024,
        encoder_depth: int = 24,
        encoder_heads: int = 16,
        encoder_registers: int = 4,
        decoder_depth: int = 36,
        decoder_heads: int = 16,
        registers: int = 5,
        head_dim: int = 1024,
        head_depth: int = 5,
        head_heads: int = 16,
        pixel_dim: int = 1024,
        camera_dim: int = 512,
        mlp_ratio: float = 4.0,
        patch_size: int = 14,
        position_grid: int = 37,
        layer_scale: float = 0.01,
        rope_base: float = 100.0,
        heads: Collection[str] = ("points", "pose", "confidence"),
        normalizations: int = 1,
        frames_at_once: int | None = None,
    ) -> None:
        super().__init__()
        if heads and decoder_depth < 2:
            raise ValueError("Pi3's heads read the last two decoder blocks, so decoder_depth must be at least 2")
        self.patch_size = patch_size
        self.special_tokens = registers
        self.available_heads = _checked_heads(heads)
        self.dim = dim
        self.rope_base = rope_base
        self.attention_dim = dim // decoder_heads
        self.normalizations = normalizations
        self.frames_at_once = frames_at_once
        self._head_widths = {"points": pixel_dim, "confidence": pixel_dim, "pose": camera_dim}

        self.register_buffer("image_mean", torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1))
        self.register_buffer("image_std", torch.tensor(IMAGE_STD).view(1, 3, 1, 1))
        self.register_token = nn.Parameter(torch.randn(1, 1, registers, dim) * 1e-6)
        self.encoder = VisionTransformer(
            dim,
            encoder_depth,
            encoder_heads,
            patch_size=patch_size,
            registers=encoder_registers,
            position_grid=position_grid,
            mlp_ratio=mlp_ratio,
        )
        self.decoder = nn.ModuleList(
            Block(dim, decoder_heads, mlp_ratio=mlp_ratio, qk_norm=True, layer_scale=layer_scale)
            for _ in range(decoder_depth)
        )

        def token_decoder(width: int) -> TokenDecoder:
            return TokenDecoder(
                2 * dim, head_dim, head_depth, head_heads, width, mlp_ratio=mlp_ratio, rope_base=rope_base
            )

        if "points" in self.available_heads:
            self.point_decoder = token_decoder(pixel_dim)
            self.point_head: nn.Module = PixelHead(pixel_dim, patch_size, channels=3)
        if "confidence" in self.available_heads:
            self.conf_decoder = token_decoder(pixel_dim)
            self.conf_head: nn.Module = PixelHead(pixel_dim, patch_size, channels=1)
        if "pose" in self.available_heads:
            self.camera_decoder = token_decoder(camera_dim)
            self.camera_head = CameraHead(camera_dim)

    @property
    def available_taps(self) -> dict[str, int]:
        """Tap name -> channels."""
        trunk = {"encoder": self.dim} | {f"decoder_{index}": self.dim for index in range(len(self.decoder))}
        return trunk | {_TAP_OF_HEAD[head]: self._head_widths[head] for head in sorted(self.available_heads)}

    @property
    def attention_blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """See Backbone: the decoder's blocks, which take turns."""
        return tuple(("global" if index % 2 else "frame", block) for index, block in enumerate(self.decoder))

    def load_weights(self, path: str | Path) -> None:
        """Load the published file (`model.safetensors`) strictly, without the entries of heads that were not built."""
        absent = self._absent_prefixes()
        state = {key: value for key, value in read_state_dict(path).items() if not key.startswith(absent)}
        load_strict(self, state, source=path)

    def _absent_prefixes(self) -> tuple[str, ...]:
        """How the published keys begin of what was not built here."""
        return tuple(
            tap.removesuffix("hidden") for head, tap in _TAP_OF_HEAD.items() if head not in self.available_heads
        )

    def forward(self, images: Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> Geometry:
        """Only what was asked for, world frame = first camera (contract: motion4d.backbones.base).

        "points" gives points_camera, depth and intrinsics (least squares, principal point at the centre); "pose" gives
        camera_to_world; both together also points_world; "confidence" gives sigmoid(logit).
        """
        said = self.predict(images, heads=heads, taps=taps)
        with torch.autocast(images.device.type, enabled=False):  # coordinates are never rounded to half precision
            return geometry_of(said)

    def predict(self, images: Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> Pi3Prediction:
        """The published form: poses in the network's own common frame, confidence as logits.

        images: [B, N, 3, H, W] in [0, 1], H and W multiples of the patch size.
        """
        check_shape("images", images, "B N 3 H W")
        self.check_request(images, heads, taps)
        patches = self._per_frame(self._encode, images.flatten(0, 1)).unflatten(0, images.shape[:2])
        return self._answer(self._tokens(patches, self._grid(images), heads, taps), images, heads, taps)

    def _grid(self, images: Tensor) -> tuple[int, int]:
        return images.shape[-2] // self.patch_size, images.shape[-1] // self.patch_size

    def _tokens(
        self,
        patches: Tensor,
        grid: tuple[int, int],
        heads: Collection[str],
        taps: Collection[str],
        after_block: AfterBlock | None = None,
    ) -> dict[str, Tensor]:
        """Encoder patches [B, N, h*w, dim] -> all that heads and taps need, each [B*N, registers + h*w, C]."""
        asked = set(taps) | {_TAP_OF_HEAD[head] for head in heads}
        tokens = self._trunk_tokens(patches, grid, asked, after_block)
        return tokens | self._head_tokens(tokens, grid, asked)

    def _answer(
        self, tokens: dict[str, Tensor], images: Tensor, heads: Collection[str], taps: Collection[str]
    ) -> Pi3Prediction:
        """The heads on what `_tokens` gave."""
        frames, grid = images.shape[:2], self._grid(images)
        answer = Pi3Prediction(tokens={tap: tokens[tap].unflatten(0, frames) for tap in taps})
        with torch.autocast(images.device.type, enabled=False):
            if "points" in heads:
                maps = self._per_frame(lambda part: self.point_head(part, grid), self._patches(tokens["point_hidden"]))
                answer.points_camera = self._points_from(maps).unflatten(0, frames)
            if "confidence" in heads:
                maps = self._per_frame(lambda part: self.conf_head(part, grid), self._patches(tokens["conf_hidden"]))
                answer.confidence_logits = maps.squeeze(1).unflatten(0, frames)
            if "pose" in heads:
                answer.camera_to_common = self.camera_head(self._patches(tokens["camera_hidden"])).unflatten(0, frames)
        return answer

    def _trunk_tokens(
        self, patches: Tensor, grid: tuple[int, int], asked: set[str], after_block: AfterBlock | None
    ) -> dict[str, Tensor]:
        """The decoder's taps that are asked, and those that the asked heads need."""
        batch, frames = patches.shape[:2]
        if asked & set(_DECODER_OF_TAP):
            asked = asked | set(self._last_two)
        patches = patches.flatten(0, 1)
        registers = self.register_token[0].expand(len(patches), -1, -1).to(patches.dtype)
        tokens = torch.cat((registers, patches), dim=1)
        rotary = grid_rotary(*grid, self.special_tokens, self.attention_dim, self.rope_base, patches.device)
        kept = {"encoder": tokens} if "encoder" in asked else {}
        names = [f"decoder_{index}" for index in range(len(self.decoder))]
        needed = max((index + 1 for index, name in enumerate(names) if name in asked), default=0)
        for index in range(needed):
            rows = batch if index % 2 else batch * frames
            tokens = self.decoder[index](tokens.reshape(rows, -1, self.dim), rotary)
            if after_block is not None:
                tokens = after_block(index, tokens.reshape(batch, frames, -1, self.dim))
            if names[index] in asked:
                kept[names[index]] = tokens.reshape(batch * frames, -1, self.dim)
        return kept

    def _head_tokens(self, trunk: dict[str, Tensor], grid: tuple[int, int], asked: set[str]) -> dict[str, Tensor]:
        """The asked outputs of the heads' transformers, each [B*N, registers + h*w, C]."""
        decoders = {tap: self.get_submodule(name) for tap, name in _DECODER_OF_TAP.items() if tap in asked}
        if not decoders:
            return {}
        hidden = self._hidden(trunk)

        def run(decoder: nn.Module) -> Tensor:
            return self._per_frame(lambda part: decoder(part, grid, special=self.special_tokens), hidden)

        return {tap: run(decoder) for tap, decoder in decoders.items()}

    def _hidden(self, trunk: dict[str, Tensor]) -> Tensor:
        """What the heads read [B*N, registers + h*w, 2 dim]: the outputs of the last two decoder blocks."""
        return torch.cat([trunk[name] for name in self._last_two], dim=-1)

    def _encode(self, images: Tensor) -> Tensor:
        """Images [M, 3, H, W] in [0, 1] -> patch tokens [M, h*w, dim]."""
        for _ in range(self.normalizations):
            images = (images - self.image_mean) / self.image_std
        return self.encoder(images)

    def _per_frame(self, function: Callable[[Tensor], Tensor], frames: Tensor) -> Tensor:
        """`function` of the frames [M, ...], at most `frames_at_once` of them together."""
        return in_chunks(function, frames, at_once=self.frames_at_once)

    def _patches(self, tokens: Tensor) -> Tensor:
        """Tokens [M, registers + h*w, C] -> patch tokens [M, h*w, C] in float32."""
        return tokens[:, self.special_tokens :].float()

    def _points_from(self, maps: Tensor) -> Tensor:
        """Head output [M, 3, H, W] = (x / z, y / z, log z) -> pointmaps [M, H, W, 3] with z > 0."""
        z = maps[:, 2:].exp()
        return torch.cat((maps[:, :2] * z, z), dim=1).permute(0, 2, 3, 1)

    @property
    def _last_two(self) -> tuple[str, str]:
        """The taps that the heads read."""
        return f"decoder_{len(self.decoder) - 2}", f"decoder_{len(self.decoder) - 1}"


def geometry_of(said: Pi3Prediction) -> Geometry:
    """A prediction in the conventions of motion4d.clip, world frame = first camera; see Pi3.forward."""
    answer = Geometry(tokens=said.tokens)
    if said.camera_to_common is not None:
        answer.camera_to_world = relative_to_first(said.camera_to_common)
    if said.points_camera is not None:
        answer.points_camera = said.points_camera
        answer.depth = said.points_camera[..., 2]
        answer.intrinsics = intrinsics_from_rays(said.points_camera)
    if answer.camera_to_world is not None and answer.points_camera is not None:
        answer.points_world = transform_points(answer.camera_to_world, answer.points_camera)
    if said.confidence_logits is not None:
        answer.confidence = said.confidence_logits.sigmoid()
    return answer


def _checked_heads(heads: Collection[str]) -> frozenset[str]:
    unknown = sorted(set(heads) - set(_TAP_OF_HEAD))
    if unknown:
        raise ValueError(f"Pi3 can have the heads {', '.join(sorted(_TAP_OF_HEAD))}, not {', '.join(unknown)}")
    return frozenset(heads)
