"""Write procedural scenes as what one downloads of a published data set: python -m prepare.procedural --layout davis

So that everything from `prepare` on can be tried without a download: the tree goes to --root, and the last line says
how to prepare it. Scenes are of the kind that the data set holds: static ones (CO3D) or those in which something moves
(all others); indoors where its depth does not reach farther; by cameras that never (RLBench) or always move (where
poses are evaluated). Sequences are named procedural0000, procedural0001, ... For SegAffordance's data sets (opdreal,
opdmulti, scenefun3d) they are single pictures of furniture with a sentence each.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from motion4d.cli import EXPECTED, build, compose, describe
from motion4d.clip import Clip
from motion4d.data.articulated.dataset import ProceduralParts
from motion4d.data.articulated.variety import Variety
from motion4d.data.procedural.dataset import ProceduralClips
from motion4d.io.files import check_writable
from motion4d.part import PartQuery
from prepare.export import (
    bonn,
    co3d,
    davis,
    davis_moving,
    dycheck,
    dynamic_replica,
    dynamicverse,
    fbms,
    got10k,
    gotmoving,
    hoi4d,
    kitti,
    kubric,
    nyu,
    opd,
    point_odyssey,
    rlbench,
    scannet,
    scenefun3d,
    segtrack,
    sintel,
    spring,
    tartanair,
    tum,
    waymo,
)
from prepare.export.geometry import FixedCamera

CONF = Path(__file__).parents[1] / "conf"
SIZE = (128, 192)  # H, W of clips, where the layout leaves it open
MOVING = tuple(f"camera_{kind}" for kind in ("handheld", "pan", "truck", "orbit", "dolly", "follow", "track"))
AT_REST = ("camera_static",)  # has no trajectory that can be aligned
NOT_OPENED = ("kind_panel", "kind_stove")
OUTDOORS = ("world_ground", "world_plane", "world_far")


@dataclasses.dataclass(frozen=True)
class Layout:
    """write(clips, folder): the writer; sources: the folders below it that `prepare` is given; options: that it needs
    besides to take all frames of such a short recording, {} being their number; camera: the one that the data set's
    images are of, if its files do not say it; lacks: kinds of worlds and cameras that it does not have (weights of
    Difficulty, or of Variety); static: nothing moves in it but the camera; parts: it is of single pictures with a
    sentence each; command: the one that prepares it, if it has another name.
    """

    write: Callable[[Iterable[Any], Path], None]
    sources: tuple[str, ...]
    options: str = ""
    camera: FixedCamera | None = None
    lacks: tuple[str, ...] = ()
    static: bool = False
    parts: bool = False
    command: str = ""

    @property
    def has_own_scenes(self) -> bool:
        """Whether clips of any kind and camera cannot be written in it."""
        return bool(self.camera or self.lacks or self.static)


LAYOUTS = {
    "davis": Layout(davis.write, ("DAVIS",)),
    "davis_moving": Layout(davis_moving.write, ("DAVIS17-motion", "DAVIS")),
    "fbms": Layout(fbms.write, ("Testset",)),
    "segtrack": Layout(segtrack.write, ("SegTrackv2",)),
    "got10k": Layout(got10k.write, ("GOT-10k/train", "masks")),
    "gotmoving": Layout(gotmoving.write, ("GOT-10k/train", "masks")),
    "hoi4d": Layout(hoi4d.write, ("HOI4D_release", "HOI4D_annotations")),
    "dynamic_replica": Layout(dynamic_replica.write, ("dynamic_replica_data",)),
    "sintel": Layout(sintel.write, (sintel.IMAGES, sintel.TRUTH), lacks=AT_REST),
    "bonn": Layout(bonn.write, (bonn.FOLDER,), "--start 0 --count {}", bonn.CAMERA, (*OUTDOORS, *AT_REST)),
    "dycheck": Layout(dycheck.write, (dycheck.FOLDER,), lacks=AT_REST),
    "kitti": Layout(kitti.write, (kitti.DEPTH, kitti.RAW)),
    "nyu": Layout(nyu.write, (nyu.FOLDER,)),
    "scannet": Layout(scannet.write, (scannet.FOLDER,), "--stride 1 --count {}", lacks=AT_REST),
    "tum": Layout(tum.write, (".",), "--stride 1 --count {}", tum.CAMERA, (*OUTDOORS, *AT_REST)),
    "point_odyssey": Layout(point_odyssey.write, ("point_odyssey",)),
    "kubric": Layout(kubric.write, ("movi",)),
    "spring": Layout(spring.write, (spring.IMAGES, spring.TRUTH, spring.POSES)),
    "tartanair": Layout(tartanair.write, (".",), camera=tartanair.CAMERA),
    "co3d": Layout(co3d.write, ("CO3D", "annotations"), static=True),
    "waymo": Layout(waymo.write, ("waymo",)),
    "rlbench": Layout(rlbench.write, ("rlbench",), lacks=MOVING),
    "dynamicverse": Layout(dynamicverse.write, ("DynamicVerse",)),
    "opdreal": Layout(opd.write_real, (opd.REAL,), lacks=NOT_OPENED, parts=True, command="opd"),
    "opdmulti": Layout(opd.write_multi, (opd.MULTI,), lacks=NOT_OPENED, parts=True, command="opd"),
    "scenefun3d": Layout(scenefun3d.write, (scenefun3d.FOLDER,), parts=True),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit status."""
    options = _parser().parse_args(arguments)
    layout = LAYOUTS[options.layout]
    try:
        if options.sequences < 1 or options.seed < 0:
            raise ValueError("--sequences must be at least 1, and --seed at least 0")
        check_writable(options.root)
        layout.write((queries if layout.parts else scenes)(options), options.root)
    except EXPECTED as error:
        print(f"prepare.procedural: {describe(error)}", file=sys.stderr)
        return 1
    sources = " ".join(str(options.root / source) for source in layout.sources)
    print(f"{options.sequences} sequences in {options.root}; prepare them with")
    needed, command = layout.options.format(options.frames), layout.command or options.layout
    print(" ".join(f"python -m prepare.{command} --partial {needed} --source {sources} --root PREPARED".split()))
    return 0


def scenes(options: argparse.Namespace) -> Iterator[Clip]:
    """The clips that a layout can hold, with the names that they are given."""
    layout = LAYOUTS[options.layout]
    count = 2 * options.sequences + 1  # at most half of the clips of an option are static scenes
    keys = {"num_clips": count, "num_frames": options.frames, "seed": options.seed, **_view(options)}
    kinds = dict.fromkeys(layout.lacks, 0) | ({"static_scene_share": 1} if layout.static else {})
    words = [f"++data.eval.{name}={value}" for name, value in keys.items()]
    words += [f"data.difficulty.{name}={value}" for name, value in kinds.items()]
    clips: ProceduralClips = build(compose(CONF, [f"data={options.data}", *words]).data.eval)
    chosen = [index for index in range(len(clips)) if clips.is_static_scene(index) == layout.static]
    for number, index in enumerate(chosen[: options.sequences]):
        clip, name = clips[index], f"procedural{number:04d}"
        print(f"{name}: {clip.num_frames} frames", flush=True)
        yield dataclasses.replace(clip, sources=(dataclasses.replace(clip.sources[0], sequence=name),))


def queries(options: argparse.Namespace) -> Iterator[PartQuery]:
    """The pictures that a layout of parts can hold."""
    usual = _parser()
    odd = [name for name in ("frames", "data") if getattr(options, name) != usual.get_default(name)]
    if odd:
        raise ValueError(f"--layout {options.layout} is of single pictures of furniture; leave out --{odd[0]}")
    variety = Variety(**dict.fromkeys(LAYOUTS[options.layout].lacks, 0.0))  # type: ignore[arg-type]
    height, width = (
        own if given is None else given for given, own in zip((options.height, options.width), SIZE, strict=True)
    )
    pictures = ProceduralParts(options.sequences, height, width, options.seed, variety)
    for index in range(len(pictures)):
        yield pictures[index]


def _view(options: argparse.Namespace) -> dict[str, float]:
    """Size and field of view of the clips; a ValueError if the layout's camera has others than were asked for."""
    camera = LAYOUTS[options.layout].camera
    usual = SIZE if camera is None else camera.size
    asked = options.height, options.width
    height, width = (own if given is None else given for given, own in zip(asked, usual, strict=True))
    if camera is None:
        return {"height": height, "width": width}
    if (height, width) != usual:
        raise ValueError(
            f"--layout {options.layout}: its images are those of a camera of {usual[0]}x{usual[1]} (height x width); "
            "leave out --height and --width"
        )
    height, width = camera.rendered_size
    return {"height": height, "width": width, "field_of_view": camera.field_of_view}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m prepare.procedural", description="Write procedural scenes as a published data set."
    )
    parser.add_argument("--layout", required=True, choices=LAYOUTS, help="whose files to write")
    parser.add_argument("--root", required=True, type=Path, help="folder for what one would have downloaded")
    parser.add_argument("--data", default="procedural_hard", choices=["procedural_easy", "procedural_hard"])
    for name, default in (("sequences", 4), ("frames", 12), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    for name, pixels in zip(("height", "width"), SIZE, strict=True):
        parser.add_argument(f"--{name}", type=int, help=f"default: {pixels}, or that of the layout's own camera")
    return parser


if __name__ == "__main__":
    sys.exit(main())
