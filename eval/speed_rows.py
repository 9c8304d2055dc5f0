"""What eval.speed measures: every row is a list of forms of the same work, the plain one first.

A form is a function Setting -> work, where work() is what is timed. Networks are filled with random numbers, since time
does not depend on weights; every form sets up in a process of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from motion4d.clip import Clip, Flow

Work = Callable[[], Any]


@dataclass(frozen=True)
class Setting:
    """The work's size."""

    frames: int = 8
    height: int = 224
    width: int = 224
    threads: int = 2


@dataclass(frozen=True)
class Row:
    """Forms of the same work, the one to compare with first; full_size: needs about 4 GB."""

    forms: Mapping[str, Callable[[Setting], Work]]
    full_size: bool = False


def calibrate(setting: Setting) -> float:
    """GFLOP/s of a float32 matrix product of side 1024: a yardstick for this machine in this minute."""
    torch.set_num_threads(setting.threads)
    matrix = torch.rand(1024, 1024)
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best / 1e9


def random_clip(setting: Setting) -> Clip:
    """Noise frames [1, N, 3, H, W]."""
    generator = torch.Generator().manual_seed(0)
    return Clip(torch.rand(1, setting.frames, 3, setting.height, setting.width, generator=generator))


def random_flow(setting: Setting) -> Flow:
    """Noise flow of a few pixels, both directions."""
    generator = torch.Generator().manual_seed(1)
    shape = (1, setting.frames - 1, 2, setting.height, setting.width)
    return Flow(4 * torch.randn(shape, generator=generator), 4 * torch.randn(shape, generator=generator))


def filled(build: Callable[[], nn.Module]) -> Any:
    """Build on the meta device and fill with small numbers: quick even for a billion parameters."""
    with torch.device("meta"):
        network = build()
    network.to_empty(device="cpu").eval().requires_grad_(False)
    for tensor in [*network.parameters(), *network.buffers()]:
        tensor.uniform_(0.5, 1.5) if tensor.ndim <= 1 else tensor.normal_(0, 0.02)
    return network


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


def _raft(setting: Setting, *, per_clip: bool) -> Work:
    from motion4d.flow.raft import raft_large
    from motion4d.flow.raft_plain import plain_raft_clip

    raft, clip = raft_large(weights=None), random_clip(setting)
    if per_clip:
        return lambda: raft(clip)
    return lambda: plain_raft_clip(raft, clip)


def _unimatch(setting: Setting, *, per_clip: bool) -> Work:
    from motion4d.flow.gmflow import unimatch
    from motion4d.flow.gmflow_plain import plain_gmflow_clip

    network, clip = unimatch(weights=None), random_clip(setting)
    if per_clip:
        return lambda: network(clip)
    return lambda: plain_gmflow_clip(network, clip)


def _dis(setting: Setting) -> Work:
    from motion4d.flow.dis import DenseInverseSearch

    estimator, clip = DenseInverseSearch(), random_clip(setting)
    return lambda: estimator(clip)


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


def _shipped(setting: Setting, *, bf16: bool) -> Work:
    from motion4d.engine.shipped import shipped_model

    model, clip = shipped_model(), random_clip(setting)
    clip.estimated_flow = random_flow(setting)

    def work() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            model(clip)

    return work


ROWS: dict[str, Row] = {
    "fusion": Row(
        {
            "full-resolution flow convolutions": partial(_fusion, windowed=False),
            "windows around patch centres": partial(_fusion, windowed=True),
        }
    ),
    "raft": Row(
        {
            "pair by pair, each direction": partial(_raft, per_clip=False),
            "per clip, both directions": partial(_raft, per_clip=True),
        }
    ),
    "unimatch": Row(
        {
            "pair by pair, each direction": partial(_unimatch, per_clip=False),
            "per clip, both directions": partial(_unimatch, per_clip=True),
        }
    ),
    "dis": Row({"per clip, both directions": _dis}),
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
