"""MonST3R's geometry, global alignment and dynamic masks, on the synthetic scene of scene.py."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion4d.backbones.pairs import PairPointmaps
from motion4d.flow.consistency import monst3r_valid
from motion4d.geometry.alignment import umeyama
from motion4d.geometry.camera_flow import EPSILON, camera_flow, disparity_from_depth, plane_and_parallax, transferred
from motion4d.geometry.focal import focal_from_points, median_focal_from_points
from motion4d.geometry.pnp import solve_pose, solve_pose_and_focal
from motion4d.geometry.projection import pixel_grid, transform_points, unproject
from motion4d.reconstruct.cleaning import without_floaters
from motion4d.reconstruct.dynamics import moving_pixels
from motion4d.reconstruct.in_windows import InWindows
from motion4d.reconstruct.least_squares import RobustLeastSquares
from motion4d.reconstruct.objective import Objective, TermWeights, change_of_depth, pose_changes
from motion4d.reconstruct.observations import Observations
from motion4d.reconstruct.optimise import Descent, cosine, descend, linear
from motion4d.reconstruct.spanning_tree import Placement, initial_state, place_frames
from motion4d.reconstruct.state import AlignmentState
from motion4d.reconstruct.sums import FlowDisagreement, FlowFields
from motion4d.reconstruct.two_views import TwoViews, two_views
from motion4d.reconstruct.windows import window_plan
from tests.reference.manifest import Case

Outputs = dict[str, Any]


@lru_cache(maxsize=4)
def scene_module(path: str) -> ModuleType:
    """The scene's code, which stands beside the cases."""
    spec = importlib.util.spec_from_file_location("monst3r_scene", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scene_of(case: Case) -> Any:
    """The case's scene."""
    return scene_module(str(case.find("scene.py"))).Scene(**case.params["scene"])


def pairs_of(case: Case) -> list[tuple[int, int]]:
    """The case's directed pairs."""
    return [(i, j) for i, j in case.params["edges"]]


def maps_of(scene: Any, pairs: list[tuple[int, int]], pairwise: dict[str, Any]) -> PairPointmaps:
    """What a pair network would say."""
    said = {key: torch.from_numpy(value) for key, value in scene.pairwise(pairs, **pairwise).items()}
    return PairPointmaps(said["pred_i"], said["conf_i"], said["pred_j"], said["conf_j"])


def flow_of(scene: Any, pairs: list[tuple[int, int]], flow: dict[str, Any]) -> Tensor:
    """Observed flow [D, 2, H, W]."""
    return torch.from_numpy(np.stack([scene.noisy_flow(i, j, **flow) for i, j in pairs]))


def middle(scene: Any) -> Tensor:
    """The published principal point."""
    return torch.tensor([scene.w / 2, scene.h / 2])


def objective_of(case: Case, start_depth: Tensor | None = None) -> Objective:
    """The case's objective."""
    scene, pairs, settings = scene_of(case), pairs_of(case), case.params["settings"]
    return Objective(
        maps_of(scene, pairs, case.params["pairwise"]),
        pairs,
        principal_point=middle(scene),
        weights=TermWeights(
            smooth=settings["temporal_smoothing_weight"],
            translation=settings["translation_weight"],
            flow=settings["flow_loss_weight"],
            depth_change=settings["depth_regularize_weight"],
            flow_drop_above=settings["flow_loss_thre"] or None,
            flow_pixel_above=settings["pxl_thre"] or None,
        ),
        flow=flow_of(scene, pairs, case.params["flow"]),
        flow_pairs=pairs,
        moving=torch.from_numpy(scene.ball),
        start_depth=start_depth,
    )


def given_state(case: Case) -> AlignmentState:
    """The state that the case's inputs give."""
    given = {
        name: torch.from_numpy(case.inputs[name]) for name in ("im_depthmaps", "im_poses", "im_focals", "pw_poses")
    }
    return AlignmentState(
        given["im_depthmaps"].flatten(1), given["im_poses"], given["im_focals"].flatten(), given["pw_poses"]
    )


def alignment_terms(case: Case) -> Outputs:
    """Every term of a given state."""
    objective = objective_of(case, torch.from_numpy(case.inputs["init_depthmap"]))
    state = given_state(case)
    terms = objective(state)
    return {
        "align": float(terms.align),
        "smooth": float(terms.smooth),
        "flow": float(terms.flow),
        "depth_reg": float(change_of_depth(state.depth, objective.start_log_depth, objective.moving)),
        "total": float(terms.total),
    }


def alignment_gradients(case: Case) -> Outputs:
    """The gradient of the total."""
    state = given_state(case)
    parameters = [parameter.requires_grad_() for parameter in state.parameters()]
    objective_of(case, torch.from_numpy(case.inputs["init_depthmap"]))(state).total.backward()
    return _named(case, [parameter.grad for parameter in parameters])


def alignment_steps(case: Case) -> Outputs:
    """Published steps from a given state."""
    objective = objective_of(case, torch.from_numpy(case.inputs["init_depthmap"]))
    state, history = descend(objective, given_state(case), descent_of(case))
    steps = {"losses": np.array(history.losses), "flow_losses": np.array(history.flow)}
    return steps | _named(case, state.parameters())


def alignment_init(case: Case) -> Outputs:
    """The spanning tree's scene."""
    placement = placed(case)
    return {
        "edges": np.array(placement.edges),
        "focals": placement.focal.numpy(),
        "pts3d": placement.points.numpy(),
        "im_conf": placement.confidence.numpy(),
    }


def alignment_init_poses(case: Case) -> Outputs:
    """How far its poses are from the published ones."""
    turn, apart = pose_distance(placed(case).camera_to_world.numpy(), case.inputs["reference_poses"])
    return {"rotation_error_deg": turn.max(), "centre_error": apart.max()}


def alignment_full(case: Case) -> Outputs:
    """From pairs to a scene, with published steps."""
    scene, pairs = scene_of(case), pairs_of(case)
    maps = maps_of(scene, pairs, case.params["pairwise"])
    start = initial_state(placed(case), maps, pairs, shared_focal=case.params["settings"]["shared_focal"])
    state, history = descend(objective_of(case), start, descent_of(case))
    return metrics(case, state) | {"final_loss": history.losses[-1]}


def window_plan_of(case: Case) -> Outputs:
    """The published table of windows."""
    params = case.params
    overlap = int(params["window_size"] * params["overlap_ratio"])
    plan = window_plan(params["frames"], params["window_size"], overlap)
    inside = [sum(w.start <= min(edge) and max(edge) < w.stop for edge in params["edges"]) for w in plan]
    return {
        "starts": [window.start for window in plan],
        "bounds": [[window.start, window.start + overlap, window.stop] for window in plan],
        "edge_counts": inside,
    }


def alignment_window_default(case: Case) -> Outputs:
    """Our windows, from scratch."""
    scene, pairs, params = scene_of(case), tuple(pairs_of(case)), case.params
    maps, flow = maps_of(scene, list(pairs), params["pairwise"]), flow_of(scene, list(pairs), params["flow"])
    seen = Observations(scene.n, pairs, maps, middle(scene), flow, pairs, torch.from_numpy(scene.ball))
    size = params["window_size"]
    in_windows = InWindows(RobustLeastSquares(), size, int(size * params["overlap_ratio"]))
    state, _ = in_windows(seen, initial_state(placed(case), maps, pairs))
    return metrics(case, state)


def descent_of(case: Case) -> Descent:
    """The case's optimizer settings."""
    optimizer = case.params["optimizer"]
    return Descent(
        iterations=case.params["iterations"],
        rate=optimizer["lr"],
        last_rate=optimizer["lr_min"],
        schedule={"linear": linear, "cosine": cosine}[optimizer["schedule"]],
        flow_start=case.params["settings"]["flow_loss_start_epoch"],
    )


def placed(case: Case) -> Placement:
    """The case's frames on the spanning tree."""
    scene, pairs = scene_of(case), pairs_of(case)
    return place_frames(
        maps_of(scene, pairs, case.params["pairwise"]),
        pairs,
        scene.n,
        principal_point=middle(scene),
        min_confidence=case.params["settings"]["min_conf_thr"],
    )


def metrics(case: Case, state: AlignmentState) -> Outputs:
    """A state against the true scene."""
    module, scene = scene_module(str(case.find("scene.py"))), scene_of(case)
    poses = state.camera_to_world.numpy()
    depth = state.depth.unflatten(1, (scene.h, scene.w)).numpy()
    return {
        "ate": module.absolute_trajectory_error(poses, scene.poses),
        "depth_abs_rel": module.depth_abs_rel(depth, scene.depth),
        "rot_deg_mean": module.rotation_errors_deg(poses, scene.poses).mean(),
        "focal": float(state.focal.mean()),
    }


def pose_distance(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles in degrees and distances of centres [N]."""
    difference = np.swapaxes(ours[..., :3, :3], -1, -2).astype(np.float64) @ theirs[..., :3, :3]
    skew = difference - np.swapaxes(difference, -1, -2)
    sine = np.sqrt((skew**2).sum((-2, -1)) / 8)
    cosine_of = (np.trace(difference, axis1=-2, axis2=-1) - 1) / 2
    return np.degrees(np.arctan2(sine, cosine_of)), np.linalg.norm(ours[..., :3, 3] - theirs[..., :3, 3], axis=-1)


def pair_reconstruction(case: Case) -> Outputs:
    """Cameras and mean depths of every pair by itself."""
    scene, half = scene_of(case), pairs_of(case)
    views = views_of(case, scene, half + [(j, i) for i, j in half])
    intrinsics = np.tile(np.eye(3), (len(half), 2, 1, 1))
    intrinsics[..., 0, 0] = intrinsics[..., 1, 1] = views.focal.numpy()
    intrinsics[..., :2, 2] = middle(scene).numpy()
    outputs = {}
    for side, name in enumerate("ij"):
        pose = views.camera_to_world[:, side].numpy()
        outputs |= {f"K_{name}": intrinsics[:, side], f"R_{name}": pose[:, :3, :3], f"T_{name}": pose[:, :3, 3:]}
        outputs[f"depth_{name}_mean"] = views.depth[:, side].mean((1, 2)).numpy()
    return outputs


def dynamic_masks(case: Case) -> Outputs:
    """Masks by the published rule, against the published ones and the truth."""
    masks, scene = masks_of(case, floor_px=0.0), scene_of(case)
    return {
        "reference_error": overlap_error(masks, case.inputs["reference_masks"] > 0),
        "truth_error": overlap_error(masks, scene.ball),
    }


def dynamic_masks_default(case: Case) -> Outputs:
    """Our rule where nothing moves."""
    return {"dynamic_fraction": masks_of(case).mean((1, 2)).max()}


def masks_of(case: Case, **rule: Any) -> np.ndarray:
    """Dynamic masks [N, H, W] from two views each."""
    scene, pairs = scene_of(case), pairs_of(case)
    flow = flow_of(scene, pairs, case.params["flow"])
    half = len(pairs) // 2
    threshold = case.params["settings"]["motion_mask_thre"]
    return moving_pixels(
        views_of(case, scene, pairs),
        flow[:half],
        flow[half:],
        scene.n,
        principal_point=middle(scene),
        threshold=threshold,
        **rule,
    ).numpy()


def views_of(case: Case, scene: Any, pairs: list[tuple[int, int]]) -> TwoViews:
    """Every pair by itself."""
    maps = maps_of(scene, pairs, case.params["pairwise"])
    least = case.params["settings"]["min_conf_thr"]
    return two_views(maps, pairs, principal_point=middle(scene), min_confidence=least)


def overlap_error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest 1 - IoU of a frame."""
    both, either = (ours & theirs).sum((1, 2)), (ours | theirs).sum((1, 2))
    return float((1 - both / np.maximum(either, 1)).max())


def clean_pointcloud(case: Case) -> Outputs:
    """Where cleaning leaves no confidence."""
    scene = scene_of(case)
    confidence = torch.stack([torch.from_numpy(case.inputs[f"conf_{k}"]) for k in range(scene.n)])
    noise = np.stack([case.inputs[f"noise_{k}"] for k in range(scene.n)])
    depth = torch.from_numpy((scene.depth * (1 + noise)).astype(np.float32))
    poses = torch.from_numpy(scene.poses).float()
    intrinsics = torch.from_numpy(scene.K).float().expand(scene.n, 3, 3)
    points = transform_points(poses, unproject(depth, intrinsics))
    cleaned = without_floaters(confidence, depth, points, poses, intrinsics, tolerance=case.params["tolerance"])
    return {"zeroed": (cleaned == 0).to(torch.uint8).numpy()}


def focal(case: Case) -> Outputs:
    """Two estimates from noisy pointmaps."""
    scene = scene_of(case)
    points = maps_of(scene, pairs_of(case), case.params["pairwise"]).points_first
    points = points + torch.from_numpy(case.inputs["noise"])
    return {
        "weiszfeld": focal_from_points(points, middle(scene)).numpy(),
        "median": median_focal_from_points(points, middle(scene)).numpy(),
    }


def registration(case: Case) -> Outputs:
    """A pair's first pointmap registered to the true points."""
    scene, edge = scene_of(case), case.params["edge"]
    maps = maps_of(scene, pairs_of(case), case.params["pairwise"])
    target = torch.from_numpy(scene.world(case.params["target_frame"])).float()
    fit = umeyama(maps.points_first[edge].flatten(0, 1), target.flatten(0, 1), maps.confidence_first[edge].flatten())
    return {"s": fit.scale.numpy(), "R": fit.rotation.numpy(), "t": fit.translation.numpy()}


def pnp(case: Case) -> Outputs:
    """A pose from noisy world points."""
    scene = scene_of(case)
    points, weights = _noisy_points(case, scene)
    pixels = pixel_grid(scene.h, scene.w, like=points).reshape(-1, 2)
    fit = solve_pose(points[None], pixels, weights[None], torch.tensor([scene.focal]), middle(scene))
    turn, apart = pose_distance(fit.camera_to_world.numpy(), scene.poses[None, case.params["frame"]])
    return {"rotation_error_deg": turn.max(), "centre_error": apart.max()}


def pnp_unknown_focal(case: Case) -> Outputs:
    """The focal length found along with the pose."""
    scene = scene_of(case)
    points, weights = _noisy_points(case, scene)
    pixels = pixel_grid(scene.h, scene.w, like=points).reshape(-1, 2)
    longer = max(scene.h, scene.w)
    _, found = solve_pose_and_focal(
        points, pixels, weights, middle(scene), longer_side=longer, candidates=case.params["candidates"]
    )
    ratio = float(found[0]) / scene.focal
    return {"focal_ratio": max(ratio, 1 / ratio)}


def ego_flow(case: Case) -> Outputs:
    """Camera flow from exact depth, and the ratio that the published code keeps as a third channel."""
    disparity, homography, parallax, _ = _motion(case)
    depth = transferred(disparity, homography, parallax)[..., 2:, :, :]
    flow = camera_flow(disparity, homography, parallax)
    return {"ego_flow": torch.cat((flow, depth / (depth + EPSILON) - 1)).numpy()}


def ego_flow_static(case: Case) -> Outputs:
    """Camera flow is the true flow of what does not move."""
    disparity, homography, parallax, scene = _motion(case)
    source, target = case.params["source"], case.params["target"]
    error = camera_flow(disparity, homography, parallax).numpy() - scene.flow(source, target)
    return {"static_error": np.abs(error[:, ~scene.ball[source]]).max()}


def flow_consistency(case: Case) -> Outputs:
    """The published occlusion mask."""
    scene, pairs = scene_of(case), [(a, b) for a, b in case.params["pairs"]]
    forward = flow_of(scene, pairs, case.params["flow"])
    backward = flow_of(scene, [(b, a) for a, b in pairs], case.params["flow"])
    valid = monst3r_valid(forward, backward, threshold=case.params["threshold"])
    return {"valid": valid.unsqueeze(1).to(torch.uint8).numpy()}


def flow_loss(case: Case) -> Outputs:
    """One field's flow term for several bounds; a homography that scales the flow stands for a wrong camera."""
    disparity, homography, parallax, scene = _motion(case)
    source, target = case.params["source"], case.params["target"]
    observed = flow_of(scene, [(source, target)], case.params["flow"])
    wrong = camera_flow(disparity, homography, parallax) * case.params["ego_scale"]
    static = (
        torch.from_numpy(~scene.ball[source]) if case.params["mask"] == "static" else torch.ones_like(disparity) > 0
    )
    # a camera that stands still moves no pixel, so the difference of the two flows can be put on one side
    fields = FlowFields((observed - wrong).flatten(2), torch.tensor([0]), torch.tensor([0]), static.flatten()[None])
    pixels = pixel_grid(scene.h, scene.w, like=disparity).reshape(-1, 2).T
    still = (torch.zeros(1, scene.h * scene.w), torch.eye(3)[None], torch.zeros(1, 3))
    losses = [FlowDisagreement.apply(*still, pixels, fields, bound or None, 1) for bound in case.params["pxl_thre"]]
    return {"losses": torch.stack(losses).numpy()}


def depth_regularization(case: Case) -> Outputs:
    """The depth term with and without moving pixels."""
    scene = scene_of(case)
    start = torch.from_numpy(scene.depth).float()
    depth = start * case.params["scale"] * (1 + torch.from_numpy(case.inputs["noise"])[:, 0])
    moving = torch.from_numpy(scene.ball).flatten(1)
    now, before = depth.flatten(1), start.flatten(1).log()
    return {
        "weighted": change_of_depth(now, before, moving).numpy(),
        "unweighted": change_of_depth(now, before, None).numpy(),
    }


def relative_pose_loss(case: Case) -> Outputs:
    """The smoothness term of every step of the true trajectory."""
    poses = torch.from_numpy(scene_of(case).poses).float()
    return {"losses": pose_changes(poses, case.params["translation_weight"]).numpy()}


def _motion(case: Case) -> tuple[Tensor, Tensor, Tensor, Any]:
    scene = scene_of(case)
    source, target = case.params["source"], case.params["target"]
    poses, intrinsics = torch.from_numpy(scene.poses).float(), torch.from_numpy(scene.K).float()
    homography, parallax = plane_and_parallax(poses[source], poses[target], intrinsics, intrinsics)
    return disparity_from_depth(torch.from_numpy(scene.depth[source]).float()), homography, parallax, scene


def _noisy_points(case: Case, scene: Any) -> tuple[Tensor, Tensor]:
    points = (scene.world(case.params["frame"]) * (1 + case.inputs["noise"])).astype(np.float32)
    return torch.from_numpy(points).flatten(0, 1), torch.from_numpy(case.inputs["mask"]).float().flatten()


def _named(case: Case, parameters: list[Tensor]) -> Outputs:
    names = ("im_depthmaps", "im_poses", "im_focals", "pw_poses")
    return {
        name: value.detach().numpy().reshape(case.inputs[name].shape)
        for name, value in zip(names, parameters, strict=True)
    }


PROCEDURES = {
    "alignment_terms": alignment_terms,
    "alignment_gradients": alignment_gradients,
    "alignment_steps": alignment_steps,
    "alignment_init": alignment_init,
    "alignment_init_poses": alignment_init_poses,
    "alignment_full": alignment_full,
    "pair_reconstruction": pair_reconstruction,
    "dynamic_masks": dynamic_masks,
    "dynamic_masks_default": dynamic_masks_default,
    "clean_pointcloud": clean_pointcloud,
    "window_plan": window_plan_of,
    "alignment_window_default": alignment_window_default,
    "focal": focal,
    "registration": registration,
    "pnp": pnp,
    "pnp_unknown_focal": pnp_unknown_focal,
    "ego_flow": ego_flow,
    "ego_flow_static": ego_flow_static,
    "flow_consistency": flow_consistency,
    "flow_loss": flow_loss,
    "depth_regularization": depth_regularization,
    "relative_pose_loss": relative_pose_loss,
}
