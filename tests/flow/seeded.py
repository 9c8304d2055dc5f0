"""Flow networks with seeded weights of published names."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from motion4d.flow.gmflow import gmflow, gmflow_scale2, unimatch
from motion4d.flow.network import FlowNetwork
from motion4d.flow.raft import raft_large, raft_small
from motion4d.flow.raft_weights import to_torchvision_layout
from motion4d.flow.sea_raft import sea_raft, sea_raft_small
from motion4d.io.weights import load_strict
from tests.reference.manifest import HOME
from tests.reference.seeded import seeded_state_dict

BUILDERS: dict[str, Callable[..., FlowNetwork]] = {
    "raft-large.torchvision": raft_large,
    "raft-small.torchvision": raft_small,
    "sea-raft-m": sea_raft,
    "sea-raft-s": sea_raft_small,
    "gmflow-scale1": gmflow,
    "gmflow-scale2": gmflow_scale2,
    "gmflow-scale2-regrefine6": unimatch,
}


def seeded_checkpoint(manifest: str) -> dict[str, Tensor]:
    """A checkpoint with published names and well-scaled values; corrections are kept small, as in trained networks."""
    shapes = json.loads((HOME / "flow" / f"manifest.{manifest}.json").read_text())
    state = {key: torch.from_numpy(value) for key, value in seeded_state_dict(shapes).items()}
    for key, value in state.items():
        if "flow_head.conv2" in key or key.startswith("flow_head.2"):
            value *= 0.05
        twin = key.replace(".bn3.", ".downsample.1.")
        if twin != key:
            state[key] = state[twin]
    return state


def seeded_network(manifest: str, **settings: Any) -> Any:
    """The network of this manifest, without its own file."""
    network = BUILDERS[manifest](**settings)
    load_strict(network, to_torchvision_layout(seeded_checkpoint(manifest)), source=manifest)
    return network
