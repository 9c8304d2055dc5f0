"""The small networks whose weights ship inside the package: `shipped_model()` segments, `shipped_geometry_model()` says
cameras and depth.

The same networks as `+experiment=geomotion` and `+experiment=page4d` compose (a test compares them); written out here
so that Python users need no configuration.
"""

from __future__ import annotations

from functools import partial

from motion4d.backbones.page4d import Page4D
from motion4d.backbones.pi3 import Pi3
from motion4d.engine.weights import load_checkpoint, resolve_checkpoint
from motion4d.engine.windows import Window
from motion4d.flow.dis import DenseInverseSearch
from motion4d.flow.motion_channels import MotionChannels
from motion4d.framing import FitPixels
from motion4d.layers.conv_encoder import ConvEncoder
from motion4d.models.flow_pyramid import FlowPyramidHead
from motion4d.models.geometry import GeometryModel
from motion4d.models.geomotion import GeoMotion

SHIPPED = "geomotion.safetensors"
SHIPPED_GEOMETRY = "page4d.safetensors"
SHIPPED_WINDOW = Window(length=6, overlap=2)  # close to the four frames of its training
SHIPPED_GEOMETRY_WINDOW = Window(length=12, overlap=4)


def small_model() -> GeoMotion:
    """The network without its weights: 2.6 M parameters, DIS flow at full resolution."""
    backbone = Pi3(
        dim=128,
        encoder_depth=1,
        encoder_heads=4,
        decoder_depth=4,
        decoder_heads=4,
        patch_size=16,
        position_grid=16,
        layer_scale=0.1,
        heads=(),
    )
    head = partial(FlowPyramidHead, tap_depths=(0.5, 1.0), channels=(24, 48, 96, 160), depth=3, heads=4)
    framing = FitPixels(pixel_limit=38400, multiple=16)
    return GeoMotion(backbone, head, DenseInverseSearch(finest_scale=0), framing, freeze_backbone=False)


def shipped_model() -> GeoMotion:
    """The network with the weights of the package, in evaluation mode."""
    model = small_model()
    path = resolve_checkpoint("shipped", shipped=SHIPPED)
    assert path is not None  # "shipped" either names a file or raises
    load_checkpoint(model, path)
    return model.eval()


def small_geometry_model() -> GeometryModel:
    """The network without its weights: 4.3 M parameters; cameras and depth at 96 x 144 pixels."""
    backbone = Page4D(
        dim=128,
        encoder=ConvEncoder((24, 48, 96, 128), inputs=9),
        motion=MotionChannels(DenseInverseSearch()),
        pose_unit=0.1,
        depth=4,
        attention_heads=4,
        camera_depth=2,
        camera_heads=4,
        head_layers=(0, 1, 2, 3),
        head_widths=(32, 48, 64, 64),
        head_features=16,
        patch_size=16,
        layer_scale=0.3,
        heads=("pose", "depth"),
        frames_at_once=None,
        mask_layer=1,
        mask_layers=(2, 3),
        mask_gate=8.0,
    )
    return GeometryModel(backbone, FitPixels(pixel_limit=13824, multiple=16))


def shipped_geometry_model() -> GeometryModel:
    """The network with the weights of the package, in evaluation mode."""
    model = small_geometry_model()
    path = resolve_checkpoint("shipped", shipped=SHIPPED_GEOMETRY)
    assert path is not None  # "shipped" either names a file or raises
    load_checkpoint(model, path)
    return model.eval()
