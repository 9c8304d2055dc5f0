"""SAM 2's video predictor as a mask tracker (Ravi et al., 2024), on the network that `transformers` implements.

Frames are resized to a square with Pillow's bicubic filter, as published, and encoded once; any number of propagations
share the features. Every object has a session of its own: SAM 2 follows objects independently of each other.
Run it under autocast for bf16, which is the published way on GPUs; its memories are bf16 in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from motion4d.clip import check_shape
from motion4d.layers.imagenet import IMAGE_MEAN, IMAGE_STD
from motion4d.refine.base import Box, Points, Prompt, Prompts
from motion4d.refine.sam2_network import IMAGE_SIZE, with_shared_positions
from motion4d.refine.sam2_weights import read_network

_CORNER_LABELS = (2, 3)  # of a box: left top, right bottom


class EncodedClip:
    """Image features of every frame; stands where a session of transformers keeps its cache of them.

    size: (H, W) of the frames, to which logits are brought back.
    """

    def __init__(self, features: list[Any], positions: Any, size: tuple[int, int]) -> None:
        self.size = size
        self._features = features
        self._positions = positions  # the same for every frame

    def __len__(self) -> int:
        """Frames."""
        return len(self._features)

    def get_vision_features(self, frame_idx: int) -> dict[str, Any]:
        """What a session asks its cache for."""
        return {"vision_feats": self._features[frame_idx], "vision_pos_embeds": self._positions}


class Sam2Tracker(nn.Module):
    """A mask tracker (motion4d.refine.base).

    weights: a published file of SAM 2.1 or 2.0, or a folder of transformers, read by `load`; or network: a
    Sam2VideoModel that is ready. image_size: side of the square that frames are resized to, in pixels.
    """

    def __init__(self, weights: str | Path | None = None, *, image_size: int = IMAGE_SIZE, network: Any = None) -> None:
        super().__init__()
        if (weights is None) == (network is None):
            raise ValueError("a SAM 2 tracker takes either the path of its weights or a network")
        self.weights = weights
        self.network: Any = None if network is None else with_shared_positions(network)
        self.image_size: int = image_size if network is None else network.image_size

    def load(self) -> None:
        """Build the network and read its weights, if that was not done before."""
        if self.network is None:
            assert self.weights is not None  # the constructor saw to it
            network = read_network(self.weights, image_size=self.image_size).requires_grad_(False)
            self.network = with_shared_positions(network)

    @torch.inference_mode()
    def encode(self, images: Tensor) -> EncodedClip:
        """images [N, 3, H, W], uint8 or float in [0, 1] -> their features, on the network's device."""
        sizes = check_shape("images", images, "N 3 H W")
        self.load()
        features, positions = [], None
        for image in images:
            encoded = self.network.get_image_features(self.pixel_values(image)[None], return_dict=True)
            features.append(encoded.fpn_hidden_states)
            positions = encoded.fpn_position_encoding
        return EncodedClip(features, positions, (sizes["H"], sizes["W"]))

    def pixel_values(self, image: Tensor) -> Tensor:
        """[3, H, W], uint8 or float in [0, 1] -> [3, S, S], resized and normalised, on the network's device."""
        whole = image if image.dtype == torch.uint8 else (image.float() * 255).round().clamp(0, 255).to(torch.uint8)
        picture = Image.fromarray(whole.permute(1, 2, 0).cpu().numpy())
        square = np.array(picture.resize((self.image_size, self.image_size), Image.Resampling.BICUBIC))
        pixels = torch.from_numpy(square).to(self._device).permute(2, 0, 1).float() / 255
        mean, std = (pixels.new_tensor(values).view(3, 1, 1) for values in (IMAGE_MEAN, IMAGE_STD))
        return (pixels - mean) / std

    def propagate(
        self, clip: EncodedClip, prompts: Prompts, *, start: int = 0, reverse: bool = False
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield (frame, logits [objects, H, W] float32): motion4d.refine.base.MaskTracker."""
        sessions = [self._session(clip, given) for given in prompts.values()]
        streams = [
            self.network.propagate_in_video_iterator(session, start_frame_idx=start, reverse=reverse)
            for session in sessions
        ]
        for outputs in zip(*streams, strict=True):
            low = torch.cat([output.pred_masks for output in outputs]).float()
            logits = F.interpolate(low, clip.size, mode="bilinear", align_corners=False)
            yield outputs[0].frame_idx, logits.squeeze(1)

    def _session(self, clip: EncodedClip, prompts: Mapping[int, Prompt]) -> Any:
        """A session of one object that has seen its prompts."""
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        if not prompts:
            raise ValueError("an object without a prompt cannot be followed")
        height, width = clip.size
        device, dtype = self._device, self.network.dtype
        session = Sam2VideoInferenceSession(
            video_height=height,
            video_width=width,
            inference_device=device,
            inference_state_device=device,
            dtype=dtype,
        )
        session.cache = clip
        session.processed_frames = dict.fromkeys(range(len(clip)))  # only counted: their features are there
        number = session.obj_id_to_idx(1)
        for frame, prompt in prompts.items():
            if not 0 <= frame < len(clip):
                raise ValueError(f"a prompt names frame {frame}, but the clip has {len(clip)} frames")
            if isinstance(prompt, Tensor):
                session.add_mask_inputs(number, frame, self._mask(prompt))
            else:
                session.add_point_inputs(number, frame, self._points(prompt, clip.size))
            session.obj_with_new_inputs = [1]
            self.network(session, frame_idx=frame)
        return session

    def _mask(self, mask: Tensor) -> Tensor:
        """[H, W] -> [1, 1, S, S] of zeros and ones."""
        side = (self.image_size, self.image_size)
        values = mask[None, None].to(self._device).float()
        return (F.interpolate(values, side, mode="bilinear", align_corners=False, antialias=True) >= 0.5).float()

    def _points(self, prompt: Points | Box, size: tuple[int, int]) -> dict[str, Tensor]:
        """Coordinates [1, 1, P, 2] in pixels of the square, and labels [1, 1, P]."""
        if isinstance(prompt, Box):
            corners = torch.tensor([[prompt.left, prompt.top], [prompt.right, prompt.bottom]])
            prompt = Points(corners, torch.tensor(_CORNER_LABELS))
        height, width = size
        scale = torch.tensor([width, height], dtype=torch.float32)
        coordinates = prompt.positions.float().cpu() / scale * self.image_size
        return {
            "point_coords": coordinates[None, None],
            "point_labels": prompt.labels.cpu().to(torch.int32)[None, None],
        }

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device
