"""Rows of optical flow: per clip beside pair by pair."""

from __future__ import annotations

from functools import partial

from eval.rows.base import Row, Setting, Work, random_clip


def _raft(setting: Setting, *, per_clip: bool) -> Work:
    from motion4d.flow.raft import raft_large
    from motion4d.flow.raft_plain import plain_raft_clip

    raft, clip = raft_large(weights=None), random_clip(setting)
    if per_clip:
        return lambda: raft(clip)
    return lambda: plain_raft_clip(raft, clip)


def _unimatch(setting: Setting, *, per_clip: bool) -> Work:
    from motion4d.flow.gmflow import unimatch
    from motion4d.flow.gmflow_plain import plain_gmflow_clip

    network, clip = unimatch(weights=None), random_clip(setting)
    if per_clip:
        return lambda: network(clip)
    return lambda: plain_gmflow_clip(network, clip)


def _dis(setting: Setting) -> Work:
    from motion4d.flow.dis import DenseInverseSearch

    estimator, clip = DenseInverseSearch(), random_clip(setting)
    return lambda: estimator(clip)


ROWS = {
    "raft": Row(
        {
            "pair by pair, each direction": partial(_raft, per_clip=False),
            "per clip, both directions": partial(_raft, per_clip=True),
        }
    ),
    "unimatch": Row(
        {
            "pair by pair, each direction": partial(_unimatch, per_clip=False),
            "per clip, both directions": partial(_unimatch, per_clip=True),
        }
    ),
    "dis": Row({"per clip, both directions": _dis}),
}
