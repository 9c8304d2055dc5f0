"""Procedures of moving-object segmentation: scores of frames, statistics, assignment, and every protocol from files."""

from __future__ import annotations

from typing import Any

import numpy as np

from motion4d.io.labels import read_labels, read_probability
from motion4d.layouts.fbms_definition import read_definition
from motion4d.layouts.mask_folders import by_position, mask_files
from motion4d.metrics.assignment import assign
from motion4d.metrics.fbms import SequenceTrajectories, definition_files, frames_of, score_labels, score_tracks
from motion4d.metrics.protocols import (
    DAVIS2016,
    DAVIS2017_SEMI,
    DAVIS2017_UNSUPERVISED,
    DAVIS_BINARY,
    EASI3R,
    GEOMOTION,
)
from motion4d.metrics.resampling import network_truth, probability_at_truth, probability_bytes
from motion4d.metrics.scores import SequenceScores
from motion4d.metrics.segmentation import bin_edges, frame_f, frame_j, match_boundaries, sequence_statistics
from motion4d.metrics.trajectories import pooled
from tests.reference.manifest import Case
from tests.reference.procedures.moseg_prepare import PROCEDURES as PREPARE

DAVIS_PROTOCOLS = {
    ("ids", "exclude_first_and_last"): DAVIS2017_SEMI,
    ("assignment", "all"): DAVIS2017_UNSUPERVISED,
    ("merged", "all"): DAVIS_BINARY,
    ("merged", "exclude_first_and_last"): DAVIS2016,
}
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
    proposals = [
        *proposals,
        *(np.zeros((frames, height, width), dtype=bool) for _ in range(len(truth) - len(proposals))),
    ]
    void = np.zeros((height, width), dtype=bool)
    void[slice(*case.params["void_rows"])] = True
    j, f = (
        np.array([[[score(g[t], p[t], void) for t in range(frames)] for g in truth] for p in proposals])
        for score in (frame_j, frame_f)
    )
    proposal = assign(j, f)
    order, every = np.argsort(proposal), np.arange(len(truth))
    return {"J": j[proposal, every][order], "F": f[proposal, every][order]}


def mask_resize(case: Case) -> Outputs:
    """A probability map at the annotation's size, through bytes."""
    resized = probability_bytes(case.inputs["mask"], tuple(case.params["size"]))
    foreground = int((resized >= case.params["threshold_byte"]).sum())
    return {"uint8": resized, "sum_uint8": int(resized.sum()), "foreground": foreground}


def davis_evaluation(case: Case) -> Outputs:
    """The protocols of DAVIS by what the case says of frames, void and objects."""
    protocol = DAVIS_PROTOCOLS[case.params["objects"], case.params["frames"]]
    names = case.params["sequences"]
    truth, prediction = mask_files(case.inputs["annotations"], names), mask_files(case.inputs["results"], names)
    sequences = [protocol.score(name, truth[name], prediction[name]) for name in names]
    outputs: Outputs = {f"global/{name}": value for name, value in protocol.poolings[0].pool(sequences).items()}
    if case.params["objects"] == "merged":
        return outputs | _per_sequence(sequences)
    # assigned objects are listed by proposal there
    listed = {scores.name: sorted(scores.objects, key=lambda o: o.proposal or 0) for scores in sequences}
    for letter in "jf":
        numbers = [sequence_statistics(getattr(o, letter)) for objects in listed.values() for o in objects]
        outputs |= {f"metrics/{letter.upper()}/{k}": [n[place] for n in numbers] for place, k in enumerate("MRD")}
        for name, objects in listed.items():
            outputs[f"per_frame/{name}/{letter.upper()}"] = np.stack([getattr(o, letter) for o in objects])
    return outputs


def geomotion_evaluation(case: Case) -> Outputs:
    """The published pairing, by position and cut to the shorter list; the product matches by stem."""
    outputs: Outputs = {}
    sequences = []
    for name in case.params["sequences"]:
        truth, prediction = (mask_files(case.inputs[folder], [name])[name] for folder in ("gt", "predictions"))
        pairs = list(zip(truth, prediction.values(), strict=False))
        scores = GEOMOTION.score(name, {stem: truth[stem] for stem, _ in pairs}, dict(pairs))
        sequences.append(scores)
        sizes = [
            [
                int(np.count_nonzero(mask))
                for mask in probability_at_truth(read_labels(truth[stem]), read_probability(file))
            ]
            for stem, file in pairs
        ]
        j, f = scores.objects[0].j, scores.objects[0].f
        row = {"num_frames": len(pairs), "J": j, "F": f, "J & F": ((j + f) / 2).mean(), "JR": np.mean(j > 0.5)}
        row |= {"gt_foreground_pixels": [gt for gt, _ in sizes]}
        row |= {"pred_foreground_pixels_after_resize": [predicted for _, predicted in sizes]}
        row |= {"mean_iou": j.mean(), "std_iou": j.std(), "mean_f_score": f.mean(), "std_f_score": f.std()}
        outputs |= {f"sequences/{name}/{key}": value for key, value in row.items()}
    j, f = (np.concatenate([getattr(s.objects[0], letter) for s in sequences]) for letter in "jf")
    overall = GEOMOTION.poolings[0].pool(sequences)
    outputs |= {"dataset/num_sequences": len(sequences), "dataset/total_frames": j.size}
    outputs |= {"dataset/mean_iou": overall["J-Mean"], "dataset/mean_f_score": overall["F-Mean"]}
    outputs |= {"dataset/JR": overall["J-Recall"]}
    for measure, values in (("iou", j), ("f_score", f)):
        outputs |= {f"dataset/{k}_{measure}": getattr(values, k)() for k in ("std", "min", "max")}
    return outputs


def easi3r_evaluation(case: Case) -> Outputs:
    """Predictions named by position."""
    outputs: Outputs = {}
    sequences = []
    for name in case.params["sequences"]:
        truth, files = (mask_files(case.inputs[folder], [name])[name] for folder in ("gt", "predictions"))
        scores = EASI3R.score(name, truth, by_position(files, "dynamic_mask_*", list(truth)))
        sequences.append(scores)
        height, width = network_truth(read_labels(next(iter(truth.values())))).shape
        outputs[f"gt_size_wh/{name}"] = [width, height]
        for letter, values in (("J", scores.objects[0].j), ("F", scores.objects[0].f)):
            outputs |= {f"per_frame/{letter}/{name}_{k}": value for k, value in enumerate(values, start=1)}
    return outputs | {f"global/{name}": value for name, value in EASI3R.poolings[0].pool(sequences).items()}


def fbms_tracks(case: Case) -> Outputs:
    """The FBMS-59 evaluation of track files."""
    files = definition_files(case.inputs["official"])
    scored = [
        score_tracks(read_definition(files[name]), case.inputs["tracks"] / f"{name}.dat", name)
        for name in case.params["sequences"]
    ]
    overall = pooled([s.scores for s in scored], case.params["threshold"])
    names = {"precision": "Precision", "precision_std": "Precision-Std", "recall": "Recall", "recall_std": "Recall-Std"}
    names |= {"region_density_percent": "Density", "F": "F", "extracted": "Extracted", "visible": "Visible"}
    outputs = {f"overall/{key}": overall[column] for key, column in names.items()} | {"overall/shots": len(scored)}
    return outputs | _trajectory_outputs(scored, case.params["threshold"])


def fbms_dense(case: Case) -> Outputs:
    """The FBMS-59 evaluation of label images."""
    files = definition_files(case.inputs["official"])
    scored = []
    for name in case.params["sequences"]:
        definition = read_definition(files[name])
        labels = frames_of(mask_files(case.inputs["predictions"], [name])[name], definition)
        length, step = case.params["length"][name], case.params["pixel_step"][name]
        scored.append(score_labels(definition, labels, name, length, step=step))
    return _trajectory_outputs(scored, case.params["threshold"])


PROCEDURES = {
    "frame_metrics": frame_metrics,
    "sequence_statistics": statistics,
    "object_assignment": object_assignment,
    "mask_resize": mask_resize,
    "davis_evaluation": davis_evaluation,
    "geomotion_evaluation": geomotion_evaluation,
    "easi3r_evaluation": easi3r_evaluation,
    "fbms_tracks": fbms_tracks,
    "fbms_dense": fbms_dense,
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


def _per_sequence(sequences: list[SequenceScores]) -> Outputs:
    outputs: Outputs = {}
    for scores in sequences:
        for letter, values in (("J", scores.objects[0].j), ("F", scores.objects[0].f)):
            numbers = sequence_statistics(values)
            outputs |= {f"per_sequence/{scores.name}/{letter}/{k}": v for k, v in zip("MRD", numbers, strict=True)}
            outputs[f"per_sequence/{scores.name}/{letter}/per_frame"] = values
    return outputs


def _trajectory_outputs(scored: list[SequenceTrajectories], threshold: float) -> Outputs:
    outputs: Outputs = {}
    for sequence in scored:
        at, scores = f"sequences/{sequence.name}", sequence.scores
        outputs |= {f"{at}/evaluated_frames": sequence.length, f"{at}/labeled_frames": sequence.labelled}
        outputs |= {f"{at}/visible_objects": scores.visible, f"{at}/extracted_objects": scores.extracted(threshold)}
        outputs |= {f"{at}/region_density_percent": scores.density, f"{at}/P": scores.precision}
        outputs |= {f"{at}/R": scores.recall, f"{at}/F": scores.f}
        for match in scores.matches:
            pair = f"{at}/assignment/{match.cluster}"
            outputs |= {f"{pair}/region": match.region, f"{pair}/P": match.precision, f"{pair}/R": match.recall}
            outputs[f"{pair}/F"] = match.f
    return outputs
