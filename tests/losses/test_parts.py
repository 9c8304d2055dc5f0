"""Terms on parts: the reference cases, exact doors and drawers, missing truth, degenerate batches, clear errors."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from motion4d.cli import build
from motion4d.losses.compose import WeightedSum
from motion4d.losses.parts import axis, geometry, masks, points, projected, screw, tracks, trajectory
from motion4d.losses.parts.twist import TwistHypotheses
from motion4d.part import PartPrediction, PartQuery
from tests.losses.moving_parts import KINDS, knowing, moving_parts, noisy
from tests.reference.pytest_cases import cases_of, check

CONF = Path(__file__).parents[2] / "conf"
OPTIONS = sorted(file.stem for file in (CONF / "loss").glob("segaffordance*.yaml"))
EXACT = {  # terms that are 0 where the network says the truth
    "coord": points.coord,
    "axis": axis.axis,
    "axis_signed": partial(axis.axis, signed=True),
    "kl": axis.kl,
    "trajectory": trajectory.trajectory,
    "normalised": trajectory.normalised,
    "velocity": trajectory.velocity,
    "angle": trajectory.angle,
    "length": trajectory.length,
    "axis_of_true_trajectory": partial(geometry.axis_of_true_trajectory, through_origin=False),
    "trajectory_about_true_axis": partial(geometry.trajectory_about_true_axis, through_origin=False),
    "point_3d": points.point_3d,
    "origin": points.origin,
    "depth_anchor": points.depth_anchor,
    "line_or_circle": geometry.line_or_circle,
    "line_or_circle_normalised": partial(geometry.line_or_circle, normalised=True),
    "twist": TwistHypotheses(signed=True),
    "twist_unsigned": TwistHypotheses(),
    "screw_true": screw.TrueTrajectory(signed=True),
    "screw_own": partial(screw.own_trajectory, signed=True),
    "screw_hypotheses": screw.TrueTrajectory(hypotheses=TwistHypotheses()),
    "track_2d": tracks.track_2d,
    "projection": tracks.projection,
    "projection_normalised": partial(tracks.projection, normalised=True),
    "projected_velocity": tracks.projected_velocity,
    "projected_angle": tracks.projected_angle,
    "projected_length": tracks.projected_length,
}
NEEDS_TRAJECTORIES = [
    *("trajectory", "normalised", "velocity", "angle", "length", "axis_of_true_trajectory", "point_3d", "origin"),
    *("trajectory_about_true_axis", "screw_true"),
]
NEEDS_TRACKS = [*("track_2d", "projection", "projected_velocity", "projected_angle", "projected_length")]


@pytest.fixture(scope="module")
def losses() -> dict[str, WeightedSum]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        configs = {name: compose("config", overrides=[f"loss={name}", "output=out"]).loss for name in OPTIONS}
    return {name: build(config) for name, config in configs.items()}


@pytest.mark.parametrize("case", cases_of("segaffordance", kinds=["loss", "gaussian_map"]))
def test_reference(case) -> None:
    check(case)


@pytest.mark.parametrize("name", EXACT)
def test_the_truth_has_no_loss_and_noise_has(name: str) -> None:
    query = moving_parts()
    assert EXACT[name](knowing(query), query).mean().item() == pytest.approx(0, abs=2e-5)
    assert EXACT[name](noisy(knowing(query)), query).mean().item() > 1e-4


def test_heatmaps_and_masks_are_best_where_they_are_the_truth() -> None:
    query = moving_parts()
    best = knowing(query)
    for term in (masks.point_map, points.origin_map, masks.mask):
        assert term(best, query).mean() < term(noisy(best), query).mean()


def test_a_track_is_near_the_line_or_circle_that_made_it() -> None:
    query = moving_parts()
    said = knowing(query)
    # the touched point's own ray meets the hinge of none of the doors: say the nearest point of the hinge instead
    size = torch.tensor([64.0, 48.0])
    said.point = torch.where(KINDS[:, None] == 1, said.origin_point, said.point)
    said.origin_depth = torch.where(KINDS == 1, said.origin[:, 2], said.origin_depth)
    found = projected.projected(said, query, radius_weight=0)
    assert found * size.max() < 0.05  # pixels
    said.axis = torch.roll(said.axis, 1, dims=-1)
    assert projected.projected(said, query, radius_weight=0) * size.max() > 1
    orbit_distance = screw.seen_track(knowing(query), query)
    assert orbit_distance * size.max() < 0.3  # of a polyline of 64 points


def test_an_origin_may_be_any_point_of_the_axis() -> None:
    query = moving_parts()
    moved = moving_parts()
    moved.truth.origin = query.truth.origin + 0.7 * query.truth.axis
    said = noisy(knowing(query))
    for name in ("origin", "trajectory_about_true_axis", "twist"):
        assert EXACT[name](said, moved).mean().item() == pytest.approx(EXACT[name](said, query).mean().item(), rel=1e-4)
    exact = knowing(query)
    assert geometry.axis_of_true_trajectory(exact, moved)[KINDS == 1].mean() < 1e-6
    assert geometry.axis_of_true_trajectory(exact, moved, plane_term=True)[KINDS == 1].mean() > 1e-3  # as in 2025


def test_published_lines_go_through_the_origin() -> None:
    query = moving_parts()
    said = knowing(query)
    for term in (geometry.axis_of_true_trajectory, geometry.trajectory_about_true_axis):
        assert term(said, query)[KINDS == 0].min() > 1e-3  # although all is right
        at_start = moving_parts(origin=query.truth.trajectory[:, 0])
        assert term(said, at_start)[KINDS == 0].max() < 1e-6


def test_published_weights(losses: dict[str, WeightedSum]) -> None:
    classic = {"mask": 0.5, "point_map": 0.5, "coord": 0.5, "axis": 0.5, "kl": 0.5 * 0.01, "kind": 0.5}
    with_truth = ("trajectory", "axis_of_true_trajectory", "trajectory_about_true_axis")
    opd = classic | {"point_map": 1.0} | dict.fromkeys(with_truth, 1.0)
    assert losses["segaffordance"].weights == classic | dict.fromkeys(with_truth, 0.5)
    assert losses["segaffordance_opd"].weights == opd
    assert losses["segaffordance_2026"].weights == opd | {"point_map": 0.5, "coord": 0.3, "axis": 0.2, "kl": 0.2 * 0.01}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_teaches_every_head_it_names(option: str, losses: dict[str, WeightedSum]) -> None:
    query = moving_parts()
    said = noisy(knowing(query), 0.1)
    if option == "segaffordance_lift":
        said = dataclasses.replace(said, twist_hypotheses=None)
    made = losses[option](said, query)
    assert set(made) == {"total", *losses[option].terms}
    made["total"].backward()
    taught = {
        field.name for field in dataclasses.fields(said) if getattr(getattr(said, field.name), "grad", None) is not None
    }
    assert {"mask_logits", "point_logits", "point"} <= taught
    wanted = {
        "segaffordance_lift": {"point_3d", "origin", "origin_logits", "axis_by_kind", "trajectory", "kind_logits"},
        "segaffordance_twist": {"twist", "twist_hypotheses", "trajectory_hypotheses", "hypothesis_logits"},
        "segaffordance_tracks": {"trajectory_2d", "origin_depth", "axis", "kind_logits"},
    }.get(option, {"axis_by_kind", "kind_logits", "latent_mean", "latent_log_variance", "trajectory"})
    assert wanted <= taught
    for name in taught:
        assert getattr(said, name).grad.isfinite().all()


@pytest.mark.parametrize("option", ["segaffordance", "segaffordance_opd", "segaffordance_2026", "segaffordance_small"])
def test_data_without_trajectories_skip_what_needs_them(option: str, losses: dict[str, WeightedSum]) -> None:
    query = moving_parts(trajectory=None, track=None)
    said = noisy(knowing(moving_parts()))
    made = losses[option](said, query)
    for name in ("trajectory", "axis_of_true_trajectory", "trajectory_about_true_axis"):
        assert made[name].item() == 0
        assert not made[name].requires_grad
    made["total"].backward()
    assert said.trajectory.grad is None  # as published: the head gets no gradient on OPD
    assert said.mask_logits.grad.any()


def test_what_is_skipped_is_skipped_whatever_the_network_lacks() -> None:
    bare = PartPrediction(mask_logits=torch.zeros(4, 12, 16))
    query = moving_parts(trajectory=None, track=None)
    for name in NEEDS_TRAJECTORIES + NEEDS_TRACKS:
        assert EXACT[name](bare, query).item() == 0
    assert projected.projected(bare, query).item() == 0


def _degenerate(query: PartQuery) -> list[PartQuery]:
    nothing_seen = moving_parts(track_valid=torch.zeros(4, 20, dtype=torch.bool))
    no_depth = dataclasses.replace(query, depth=torch.zeros_like(query.depth))
    still = moving_parts(trajectory=query.truth.trajectory[:, :1].expand(4, 20, 3))
    still.truth.track = query.truth.track[:, :1].expand(4, 20, 2)
    behind = moving_parts(trajectory=-query.truth.trajectory)
    no_turn = moving_parts(kind=torch.zeros(4, dtype=torch.long))
    empty = moving_parts(mask=torch.zeros(4, 48, 64, dtype=torch.bool))
    return [nothing_seen, no_depth, still, behind, no_turn, empty]


@pytest.mark.parametrize("option", OPTIONS)
def test_gradients_are_finite_whatever_the_batch(option: str, losses: dict[str, WeightedSum]) -> None:
    query = moving_parts()
    zero = knowing(query)._map(torch.zeros_like)
    for truth in [query, *_degenerate(query)]:
        for start in (noisy(knowing(query)), noisy(zero, 0.0)):
            if option == "segaffordance_lift":
                start = dataclasses.replace(start, twist_hypotheses=None)
            made = losses[option](start, truth)
            assert made["total"].isfinite()
            made["total"].backward()
            for field in dataclasses.fields(start):
                gradient = getattr(getattr(start, field.name), "grad", None)
                assert gradient is None or gradient.isfinite().all(), (option, field.name)


def test_half_precision_is_computed_in_float32(losses: dict[str, WeightedSum]) -> None:
    query = moving_parts()
    said = knowing(query)._map(lambda values: values.bfloat16())
    for option in OPTIONS:
        assert {value.dtype for value in losses[option](said, query).values()} == {torch.float32}, option


def test_temperature_falls_with_the_epochs() -> None:
    term = TwistHypotheses(hottest=10.0, cooling=0.8)
    at = [term.at(share).temperature for share in (0.0, 0.4, 0.7999, 0.8, 1.0)]
    assert at == pytest.approx([10.0, 0.1**0.5, 0.01, 0.0, 0.0], rel=1e-2)
    loss = WeightedSum({"twist": term, "screw": screw.TrueTrajectory(hypotheses=term), "coord": points.coord})
    query = moving_parts()
    said = noisy(knowing(query))
    early, late = loss.at(0.0)(said, query), loss.at(1.0)(said, query)
    assert early["twist"] > late["twist"]
    assert early["screw"] != late["screw"]
    assert late["twist"] == loss(said, query)["twist"]
    early["twist"].backward()
    assert (said.twist_hypotheses.grad.abs().sum((0, 2)) > 0).all()  # all learn as long as it is warm


def test_what_is_missing_or_wrong_is_named() -> None:
    query = moving_parts()
    said = knowing(query)
    broken = moving_parts(axis=query.truth.axis * torch.tensor([[1.0], [1], [0], [1]]))
    with pytest.raises(ValueError, match="the true axis of image2 has no direction"):
        axis.axis(said, broken)
    with pytest.raises(ValueError, match="image0, image1, image2 has no true point"):
        points.coord(said, moving_parts(point=None))
    with pytest.raises(ValueError, match="says nothing of twist"):
        screw.seen_track(dataclasses.replace(said, twist=None), query)
    with pytest.raises(ValueError, match="has no depth"):
        tracks.projection(said, dataclasses.replace(query, depth=None))
    with pytest.raises(ValueError, match="has no intrinsics"):
        points.origin_map(said, dataclasses.replace(query, intrinsics=None))
    with pytest.raises(ValueError, match="has no truth"):
        masks.mask(said, dataclasses.replace(query, truth=None))
