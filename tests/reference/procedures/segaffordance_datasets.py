"""Procedures of SegAffordance's data sets: samples in the published units, keys under the filters, scene splits."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from motion4d.data.opd import OpdParts
from motion4d.data.scene_split import part_of_scenes, split_by_scene
from motion4d.data.scenefun3d import SceneFun3dParts
from motion4d.layouts.opd import opd
from motion4d.layouts.scenefun3d import scenefun3d
from motion4d.layouts.scenefun3d_measures import Limits
from motion4d.part import PartQuery
from tests.reference.manifest import Case

MEAN, STD = (np.array(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def dataset_samples(case: Case) -> dict[str, Any]:
    """Every sample as published: normalised, depth in the file's unit, intrinsics and tracks of the native image."""
    return _scenefun3d_samples(case) if case.params["dataset"] == "sf3d" else _opd_samples(case)


def _opd_samples(case: Case) -> dict[str, Any]:
    params = case.params
    assert params["annotations"] == f"MotionNet_{params['split']}"
    layout = partial(opd, case.inputs["root"], params["split"])
    data = OpdParts(params["dataset"], layout, tuple(params["size"]), use_depth=params["use_depth"])
    outputs: dict[str, Any] = {"length": len(data), "full_mask_area": [int(part.mask().sum()) for part in data.parts]}
    queries = [data[index] for index in range(len(data))]
    for index, (query, part) in enumerate(zip(queries, data.parts, strict=True)):
        outputs |= _published(index, query, 1000)
        outputs[f"{index}.bbox"] = part.bbox
        outputs[f"{index}.category_id"] = query.sources[0].category
    outputs["description"] = [query.texts[0] for query in queries]
    outputs["object_key"] = [part.object_key for part in data.parts]
    outputs["filename"] = [query.sources[0].image for query in queries]
    depth = queries[0].depth
    outputs["depth_sum_0"] = 0.0 if depth is None else float(depth.sum() * 1000)
    return outputs


def _scenefun3d_samples(case: Case) -> dict[str, Any]:
    data = _scenefun3d(case, on_element=case.params["point_source"] == "element")
    outputs: dict[str, Any] = {"length": len(data)}
    queries = [data[index] for index in range(len(data))]
    for index, query in enumerate(queries):
        outputs |= _published(index, query, 1)
        outputs[f"{index}.bbox"] = data.record(index).bbox
        truth = query.truth
        assert truth.track is not None
        height, width = query.sources[0].native
        scale = np.array([query.size[1] / width, query.size[0] / height])
        outputs[f"{index}.trajectory"] = truth.trajectory[0].numpy()
        outputs[f"{index}.trajectory_2d"] = (truth.track[0].double().numpy() + 0.5) / scale - 0.5
        outputs[f"{index}.trajectory_2d_valid"] = truth.track_valid[0].numpy()
    outputs["description"] = [query.texts[0] for query in queries]
    outputs["rgb_image_path"] = [query.sources[0].image for query in queries]
    outputs["point_norm"] = np.concatenate([query.truth.point.numpy() for query in queries])
    return outputs


def _published(index: int, query: PartQuery, unit: float) -> dict[str, Any]:
    """unit: of the file's depth, per metre."""
    height, width = query.sources[0].native
    truth = query.truth
    intrinsic = query.intrinsics[0].double().numpy()
    scale = np.array([query.size[1] / width, query.size[0] / height])
    intrinsic[:2, 2] = (intrinsic[:2, 2] + 0.5) / scale - 0.5
    intrinsic[0, 0], intrinsic[1, 1] = intrinsic[0, 0] / scale[0], intrinsic[1, 1] / scale[1]
    fields: dict[str, Any] = {
        "rgb": (query.images[0].double().numpy() - MEAN) / STD,
        "mask": truth.mask.float().numpy(),
        "point_norm": truth.point[0].numpy(),
        "motion_dir": truth.axis[0].numpy(),
        "motion_type": truth.kind[0].numpy(),
        "motion_origin_3d": truth.origin[0].numpy(),
        "intrinsic": intrinsic,
        "image_size": [width, height],
    }
    if query.depth is not None:
        fields["depth"] = query.depth.double().numpy() * unit
    return {f"{index}.{name}": value for name, value in fields.items()}


def _scenefun3d(case: Case, *, on_element: bool = False) -> SceneFun3dParts:
    params = case.params
    limits = Limits(
        params["sensor_max_occluded_frac"],
        params["min_revolute_radius"],
        params["min_mask_area_frac"],
        params["edge_margin_frac"],
    )
    layout = partial(scenefun3d, case.inputs["root"])
    return SceneFun3dParts("scenefun3d", layout, tuple(params["size"]), limits=limits, on_element=on_element)


def dataset_keys(case: Case) -> dict[str, Any]:
    """The keys that are left."""
    return {"keys": _scenefun3d(case).keys}


def scene_split(case: Case) -> dict[str, Any]:
    """Training, validation, and a part of training."""
    params, keys = case.params, case.inputs["keys"]
    training, validation = split_by_scene(keys, params["val_ratio"], params["seed"])
    part = part_of_scenes(keys, training, params["partition_ratio"], params["partition_seed"])
    return {"train": training, "val": validation, "partition_finetune": part}


PROCEDURES = {"dataset_samples": dataset_samples, "dataset_keys": dataset_keys, "scene_split": scene_split}
