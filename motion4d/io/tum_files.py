"""Text files of the TUM RGB-D benchmark (Sturm et al. 2012), which Bonn shares: what has a time stamp, and poses.

Lines are `stamp something`, split at spaces, tabs and commas; lines that begin with # are passed over. No torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from motion4d.io.files import write_text


def parse_rows(lines: Iterable[str], where: str) -> list[tuple[float, str]]:
    """Stamps in seconds, and what follows each of them with single spaces.

    A ValueError names `where` and the line that does not begin with a number, or says that there are no lines.
    """
    found: list[tuple[float, str]] = []
    for number, line in enumerate(lines, 1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            found.append((float(words[0]), " ".join(words[1:])))
        except ValueError:
            raise ValueError(f"line {number} of {where} does not begin with a time stamp: {line[:60]!r}") from None
    if not found:
        raise ValueError(f"{where} holds no lines with a time stamp")
    return found


def read_stamped(path: Path) -> dict[float, str]:
    """Stamp -> what follows it; of two lines with one stamp the last counts. Errors as above."""
    return dict(_rows_of(path))


def read_poses(path: Path, *, scalar_first: bool = False) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lines `stamp tx ty tz qx qy qz qw` -> stamps [N] and the poses [N, 4, 4], in the order of the file.

    scalar_first: `stamp tx ty tz qw qx qy qz`, as PAGE-4D and MonST3R write them. A ValueError names a file with other
    lines.
    """
    stamps, poses = zip(*_rows_of(path), strict=True)
    try:
        numbers = np.array([pose.split() for pose in poses], np.float64)
        order = (0, 1, 2, 4, 5, 6, 3) if scalar_first and numbers.shape[1:] == (7,) else slice(None)
        return np.array(stamps), pose_matrices(numbers[:, order])
    except ValueError as error:
        raise ValueError(f"{path} does not hold lines of stamp tx ty tz qx qy qz qw ({error})") from error


def _rows_of(path: Path) -> list[tuple[float, str]]:
    return parse_rows(path.read_text(encoding="utf-8").splitlines(), str(path))


def pose_matrices(numbers: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows tx ty tz qx qy qz qw [N, 7] (quaternions of any length) -> rigid motions [N, 4, 4]."""
    if numbers.ndim != 2 or numbers.shape[1] != 7:
        raise ValueError(f"a pose is seven numbers, but these are {numbers.shape}")
    turns = np.linalg.norm(numbers[:, 3:], axis=1)
    if (turns == 0).any():
        raise ValueError(f"pose {int(np.argmax(turns == 0))}, counted from 0, has a quaternion of zeros")
    poses = np.tile(np.eye(4), (len(numbers), 1, 1))
    poses[:, :3, 3] = numbers[:, :3]
    poses[:, :3, :3] = Rotation.from_quat(numbers[:, 3:]).as_matrix()
    return poses


def pose_numbers(poses: NDArray[np.floating]) -> NDArray[np.float64]:
    """The inverse of `pose_matrices`: [N, 4, 4] -> [N, 7]."""
    return np.concatenate((poses[:, :3, 3], Rotation.from_matrix(poses[:, :3, :3]).as_quat()), axis=1)


def write_poses(path: str | Path, stamps: Iterable[float], poses: NDArray[np.floating]) -> None:
    """Write poses [N, 4, 4] with their stamps in seconds, as `read_poses` reads them; atomically."""
    rows = zip(stamps, pose_numbers(poses), strict=True)
    lines = (f"{stamp:.6f} " + " ".join(f"{number:.9g}" for number in numbers) for stamp, numbers in rows)
    write_text(path, "# timestamp tx ty tz qx qy qz qw\n" + "".join(f"{line}\n" for line in lines))
