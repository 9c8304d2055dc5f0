"""Rows of GeoMotion: Pi3, the fusion convolutions, masks alone, the model that ships, procedural scenes."""

from __future__ import annotations

from functools import partial

import torch

from eval.rows.base import Row, Setting, Work, filled, random_clip, random_flow


def _pi3(setting: Setting, *, bf16: bool) -> Work:
    from motion4d.backbones.pi3 import Pi3
    from motion4d.layers.precision import round_blocks

    network, images = filled(Pi3), random_clip(setting).images
    if bf16:
        round_blocks(network, torch.bfloat16)  # as runtime.precision=bf16 does before a prediction

    def work() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            network(images, heads=("points", "pose", "confidence"))

    return work


def _geomotion(setting: Setting, *, heads: tuple[str, ...]) -> Work:
    from motion4d.backbones.pi3 import Pi3
    from motion4d.framing import FitPixels
    from motion4d.models.geomotion import GeoMotion
    from motion4d.models.motion_head import FusionHead

    head = partial(
        FusionHead,
        low_taps=("decoder_5", "decoder_15"),
        high_taps=("decoder_34", "decoder_35"),
        camera_tap="camera_hidden",
    )
    model = filled(lambda: GeoMotion(Pi3(heads=("points", "pose")), head, None, FitPixels()))
    clip = random_clip(setting)
    clip.estimated_flow = random_flow(setting)
    return lambda: model.forward_all(clip, heads=heads)


def _fusion(setting: Setting, *, windowed: bool) -> Work:
    from motion4d.models.motion_fusion import MotionFusion, full_resolution_flow_features

    fusion = MotionFusion(8, 8, 0, 8).eval()
    flow = random_flow(setting).forward.norm(dim=2).flatten(0, 1)[:, None]
    flow = torch.cat([flow, flow[:1]])
    return (lambda: fusion.flow_features(flow)) if windowed else (lambda: full_resolution_flow_features(fusion, flow))


def _shipped(setting: Setting, *, bf16: bool) -> Work:
    from motion4d.engine.shipped import shipped_model

    model, clip = shipped_model(), random_clip(setting)
    clip.estimated_flow = random_flow(setting)

    def work() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            model(clip)

    return work


def _rendering(setting: Setting) -> Work:
    from motion4d.data.procedural.dataset import ProceduralClips
    from motion4d.data.procedural.difficulty import Difficulty

    clips = ProceduralClips(
        num_clips=8,
        num_frames=setting.frames,
        height=setting.height,
        width=setting.width,
        seed=0,
        difficulty=Difficulty(),
    )
    return lambda: clips[0]


ROWS = {
    "fusion": Row(
        {
            "full-resolution flow convolutions": partial(_fusion, windowed=False),
            "windows around patch centres": partial(_fusion, windowed=True),
        }
    ),
    "procedural": Row({"one clip with all truth": _rendering}),
    "shipped": Row(
        {"small model, float32": partial(_shipped, bf16=False), "small model, bfloat16": partial(_shipped, bf16=True)}
    ),
    "pi3": Row(
        {
            "all heads, float32": partial(_pi3, bf16=False),
            "all heads, bfloat16": partial(_pi3, bf16=True),
        },
        full_size=True,
    ),
    "geomotion": Row(
        {
            "masks and geometry, float32": partial(_geomotion, heads=("points", "pose")),
            "masks only, float32": partial(_geomotion, heads=()),
        },
        full_size=True,
    ),
}
