"""Procedures of the VGGT cases (reference/vggt/cases.md describes what each kind computes)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from motion4d.backbones.vggt import VGGT
from motion4d.backbones.vggt_tracks import TrackHead
from motion4d.framing import FitWidth, Letterbox, PaddedSquare
from motion4d.geometry.pose_encoding import encode_pose, intrinsics_of, world_to_camera_of
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import transform_points, unproject
from motion4d.geometry.quaternions import quaternion_from_rotation, rotation_from_quaternion
from motion4d.io.images import read_image
from tests.reference.manifest import Case

Outputs = dict[str, Any]
HEADS = ("points", "pose", "depth", "confidence")
MODES = {"crop": FitWidth, "pad": Letterbox, "square": PaddedSquare}


def settings(config: dict[str, Any]) -> dict[str, Any]:
    """A case's `config` as arguments of our network."""
    encoder, camera, dense = config["patch_embed"], config["camera_head"], config["depth_head"]
    assert config["point_head"] == dense
    assert dense["dim_in"] == camera["dim_in"] == 2 * config["embed_dim"]
    return {
        "dim": config["embed_dim"],
        "encoder_depth": encoder.get("depth", 0),
        "encoder_heads": encoder.get("num_heads", 1),
        "encoder_registers": encoder.get("register_tokens", 0),
        "position_grid": encoder.get("pos_embed_grid", 1),
        "depth": config["depth"],
        "attention_heads": config["num_heads"],
        "registers": config["num_register_tokens"],
        "mlp_ratio": config["mlp_ratio"],
        "rope_base": config["rope_frequency"],
        "patch_size": config["patch_size"],
        "camera_depth": camera["trunk_depth"],
        "camera_heads": camera["num_heads"],
        "camera_iterations": camera["iterations"],
        "head_layers": dense["layers"],
        "head_widths": dense["out_channels"],
        "head_features": dense["features"],
        "track_head": None if config["track_head"] is None else track_head(config),
        "frames_at_once": config["frames_chunk_size"],
    }


def track_head(config: dict[str, Any]) -> TrackHead:
    """The track head that a case's `config` describes."""
    track = config["track_head"]
    assert track["layers"] == config["depth_head"]["layers"]
    assert track["latent_dim"] == track["features"]
    return TrackHead(
        track["dim_in"],
        patch_size=config["patch_size"],
        features=track["features"],
        feature_widths=track["out_channels"],
        stride=track["stride"],
        iterations=track["iterations"],
        levels=track["corr_levels"],
        radius=track["corr_radius"],
        hidden=track["hidden_size"],
        depth=track["depth"],
        heads=track["num_heads"],
        virtual_tracks=track["virtual_tracks"],
        longest_side=track["max_scale"],
    )


def build(config: dict[str, Any]) -> VGGT:
    """The network that a case's `config` describes, on the meta device."""
    with torch.device("meta"):
        return VGGT(**settings(config))


def load_seeded(model: VGGT, case: Case, dropped: tuple[str, ...] = ()) -> VGGT:
    """The case's seeded weights, strictly, without copies; `dropped`: beginnings of keys to leave out."""
    items = ((key, torch.from_numpy(value)) for key, value in case.weight_items() if not key.startswith(dropped))
    state = model.own_part(dict(items))
    model.load_state_dict(state, strict=True, assign=True)
    for name in ("image_mean", "image_std"):  # not in the checkpoint
        setattr(model.aggregator, name, getattr(_constants(), name))
    return model.eval()


_last_network: dict[str, VGGT] = {}  # the full-size cases share one network of 5 GB


def network(case: Case) -> VGGT:
    """The case's network with its seeded weights."""
    key = json.dumps([str(case.folder), case.params["config"], case.raw["weights"]], sort_keys=True)
    if key not in _last_network:
        _last_network.clear()
        _last_network[key] = load_seeded(build(case.params["config"]), case)
    return _last_network[key]


@torch.no_grad()
def forward(case: Case) -> Outputs:
    """Tokens, pose encodings, depth, points and both confidences."""
    return outputs_of(network(case), case)


def outputs_of(model: VGGT, case: Case, **options: Any) -> Outputs:
    """What a forward of any VGGT gives, under the published names."""
    layers = case.params["token_layers"]
    taps = [*options.pop("taps", ()), *(f"decoder_{layer}" for layer in layers)]
    said = model.predict(torch.from_numpy(case.inputs["images"]), heads=HEADS, taps=taps, **options)
    assert said.depth is not None
    outputs = {
        "pose_enc_list": said.pose_encodings,
        "depth": said.depth.unsqueeze(-1),
        "depth_conf": said.depth_confidence,
        "world_points": said.points_world,
        "world_points_conf": said.points_confidence,
    }
    outputs |= {f"tokens.{layer}": said.tokens[f"decoder_{layer}"] for layer in layers}
    outputs |= {f"tap.{tap}": tokens for tap, tokens in said.tokens.items()}
    return _numpy(outputs)


@torch.no_grad()
def forward_tracks(case: Case) -> Outputs:
    """Positions after every iteration, visibility and confidence."""
    images, points = (torch.from_numpy(case.inputs[name]) for name in ("images", "query_points"))
    model = network(case)
    tracks = model.track(model.track_features(images), points)
    return _numpy({"track_list": tracks.positions, "vis": tracks.visibility, "conf": tracks.confidence})


def pose_encoding(case: Case) -> Outputs:
    """Decode, encode again, invert."""
    size = _size(case)
    world_to_camera, intrinsics = _cameras(case)
    return _numpy(
        {
            "extrinsics": world_to_camera[..., :3, :],
            "intrinsics": intrinsics,
            "encoding_back": encode_pose(world_to_camera, intrinsics, size),
            "inverse": se3_inverse(world_to_camera),
        }
    )


def rotation_conversion(case: Case) -> Outputs:
    """Unit quaternions to rotations and back."""
    quaternion = torch.nn.functional.normalize(torch.from_numpy(case.inputs["quaternion"]), dim=-1)
    matrices = rotation_from_quaternion(quaternion)
    return _numpy({"matrices": matrices, "quaternions_back": quaternion_from_rotation(matrices)})


def unprojection(case: Case) -> Outputs:
    """Depth to world points."""
    world_to_camera, intrinsics = _cameras(case)
    points = unproject(torch.from_numpy(case.inputs["depth"]), intrinsics)
    return _numpy({"world_points": transform_points(se3_inverse(world_to_camera), points)})


def preprocess(case: Case) -> Outputs:
    """Image files to network input; images of different shapes are centred in the largest.

    The published pipeline ends in 8 bits, so ours is rounded to them: the tolerance is one level.
    """
    rule = MODES[case.params["mode"]](case.params["target_size"])
    with tempfile.TemporaryDirectory() as folder:
        pictures = []
        for index in range(len(case.inputs)):
            path = Path(folder) / f"{index}.png"
            Image.fromarray(case.inputs[f"image_{index}"]).save(path)
            pictures.append(_read_on_white(path))
    framings = [rule(*picture.shape[1:]) for picture in pictures]
    largest = (max(framing.size[0] for framing in framings), max(framing.size[1] for framing in framings))
    framings = [f if f.size == largest else f.centred_in(largest, fill=1.0) for f in framings]
    images = torch.stack([f.images(picture) for f, picture in zip(framings, pictures, strict=True)])
    images = (images * 255).round() / 255
    outputs = {"images": images, "shape": torch.tensor(images.shape)}
    if case.params["mode"] == "square":
        outputs["coords"] = torch.tensor([_covered(f) for f in framings])
        outputs["coords_shape"] = torch.tensor(outputs["coords"].shape)
    return _numpy(outputs)


def _read_on_white(path: Path) -> Tensor:
    """[3, H, W] in [0, 1]; transparent pixels are published as white, while our reader takes them for black."""
    with Image.open(path) as image:
        if image.mode != "RGBA":
            return torch.from_numpy(read_image(path)).permute(2, 0, 1) / 255
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        flat = Image.alpha_composite(white, image).convert("RGB")
    return torch.from_numpy(np.array(flat)).permute(2, 0, 1) / 255


def _covered(framing: Any) -> list[float]:
    """x1, y1, x2, y2 of the native picture's edges in the network image, native width and height (in that order)."""
    height, width = framing.native
    corners = framing.points(torch.tensor([[-0.5, -0.5], [width - 0.5, height - 0.5]])) + 0.5
    return [*corners.flatten().tolist(), width, height]


def _cameras(case: Case) -> tuple[Tensor, Tensor]:
    """world_to_camera and intrinsics with the published principal point (W/2, H/2)."""
    parts = (torch.from_numpy(case.inputs[name]) for name in ("translation", "quaternion", "fov"))
    encoding, (height, width) = torch.cat(tuple(parts), -1), _size(case)
    return world_to_camera_of(encoding), intrinsics_of(encoding, (height, width), centre=(width / 2, height / 2))


def _size(case: Case) -> tuple[int, int]:
    height, width = case.params["image_size"]
    return height, width


def _constants() -> Any:
    return VGGT(dim=4, encoder_depth=0, depth=1, attention_heads=1, head_layers=[0] * 4, heads=()).aggregator


def _numpy(outputs: dict[str, Tensor]) -> Outputs:
    return {name: value.detach().numpy() for name, value in outputs.items()}


PROCEDURES = {
    "forward": forward,
    "forward_tracks": forward_tracks,
    "pose_encoding": pose_encoding,
    "rotation_conversion": rotation_conversion,
    "unproject": unprojection,
    "preprocess": preprocess,
}
