"""Procedures of moving-object segmentation: scores of frames, statistics, assignment, mask resize, DAVIS-2016."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from motion4d.io.labels import read_labels
from motion4d.metrics.assignment import assign_objects
from motion4d.metrics.protocols import DAVIS2016, FRAMES, SequenceScores, mean_over_sequences, score_sequence
from motion4d.metrics.resampling import probability_bytes
from motion4d.metrics.segmentation import bin_edges, frame_j, match_boundaries, sequence_statistics
from tests.reference.manifest import Case, NotCovered
from tests.reference.procedures.moseg_prepare import PROCEDURES as PREPARE

Outputs = dict[str, Any]


def frame_metrics(case: Case) -> Outputs:
    """J, F and boundary counts of one frame given as arrays or painted boxes."""
    truth, prediction, void = (_mask(case, name) for name in ("gt", "pred", "void"))
    assert truth is not None
    assert prediction is not None
    match = match_boundaries(truth, prediction, void, tolerance=case.params["bound_th"])
    return {
        "J": frame_j(truth, prediction, void),
        "F": match.f,
        "radius": match.radius,
        "gt_boundary_pixels": match.truth_pixels,
        "pred_boundary_pixels": match.prediction_pixels,
        "gt_matched": match.truth_matched,
        "pred_matched": match.prediction_matched,
    }


def statistics(case: Case) -> Outputs:
    """Mean, recall, decay and bin edges of a list of scores."""
    mean, recall, decay = sequence_statistics(case.inputs["values"])
    return {"M": mean, "R": recall, "D": decay, "ids": bin_edges(len(case.inputs["values"]))}


def object_assignment(case: Case) -> Outputs:
    """J and F of the matched pairs, in the published order: by proposal index."""
    frames, height, width = case.params["shape"]
    truth = _objects(case.inputs["gt_boxes"], case.params["n_gt"], (frames, height, width))
    proposals = _objects(case.inputs["pred_boxes"], case.params["n_pred"], (frames, height, width))
    void = np.zeros((frames, height, width), dtype=bool)
    void[:, slice(*case.params["void_rows"])] = True
    assignment = assign_objects(truth, proposals, void)
    order = np.argsort(assignment.proposal)
    return {"J": assignment.j[order], "F": assignment.f[order]}


def mask_resize(case: Case) -> Outputs:
    """A probability map at the annotation's size, through bytes."""
    resized = probability_bytes(case.inputs["mask"], tuple(case.params["size"]))
    foreground = int((resized >= case.params["threshold_byte"]).sum())
    return {"uint8": resized, "sum_uint8": int(resized.sum()), "foreground": foreground}


def davis_evaluation(case: Case) -> Outputs:
    """The protocols with one merged foreground."""
    if case.params["objects"] != "merged":
        raise NotCovered(f"no protocol for objects={case.params['objects']}")
    protocol = FRAMES if case.params["frames"] == "all" else DAVIS2016
    folders = case.inputs["annotations"], case.inputs["results"]
    sequences = [_score(name, *folders, protocol) for name in case.params["sequences"]]
    outputs: Outputs = {f"global/{name}": value for name, value in mean_over_sequences(sequences).items()}
    for scores in sequences:
        for letter, values, numbers in (("J", scores.j, scores.j_statistics), ("F", scores.f, scores.f_statistics)):
            outputs |= {f"per_sequence/{scores.name}/{letter}/{k}": v for k, v in zip("MRD", numbers, strict=True)}
            outputs[f"per_sequence/{scores.name}/{letter}/per_frame"] = values
    return outputs


PROCEDURES = {
    "frame_metrics": frame_metrics,
    "sequence_statistics": statistics,
    "object_assignment": object_assignment,
    "mask_resize": mask_resize,
    "davis_evaluation": davis_evaluation,
    **PREPARE,
}


def _mask(case: Case, name: str) -> np.ndarray | None:
    if name in case.inputs:
        return case.inputs[name]
    if f"{name}_boxes" not in case.inputs:
        return None
    mask = np.zeros(case.params["shape"], dtype=np.uint8)
    for top, bottom, left, right, value in case.inputs[f"{name}_boxes"]:
        mask[top:bottom, left:right] = value
    return mask


def _objects(boxes: np.ndarray, count: int, shape: tuple[int, int, int]) -> np.ndarray:
    masks = np.zeros((count, *shape), dtype=bool)
    for index, frame, top, bottom, left, right in boxes:
        masks[index, frame, top:bottom, left:right] = True
    return masks


def _score(name: str, annotations: Path, results: Path, protocol: Any) -> SequenceScores:
    stems = protocol.scored(sorted(file.stem for file in (annotations / name).glob("*.png")))
    return score_sequence(
        name,
        ((s, read_labels(annotations / name / f"{s}.png"), read_labels(results / name / f"{s}.png")) for s in stems),
    )
