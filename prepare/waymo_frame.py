"""One frame of Waymo Open's perception data (dataset.proto, version 1): image, camera and LiDAR points in front.

The vehicle's and the sensors' axes are x forward, y left, z up. Field numbers are those of dataset.proto.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from prepare.protobuf import Fields, Value, fields, inner, integers, numbers

FRONT = 1  # of the cameras
Matrix = NDArray[np.float64]

# from a camera with x forward, y left, z up to OpenCV's
AXES: Matrix = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


@dataclass(frozen=True)
class Camera:
    """camera_to_world and vehicle_to_camera [4, 4] of the front camera, OpenCV; intrinsics [3, 3]; world: Waymo's."""

    camera_to_world: Matrix
    vehicle_to_camera: Matrix
    intrinsics: Matrix


def camera(record: bytes) -> Camera:
    """The front camera of a frame. A ValueError says what is missing."""
    frame = fields(record)
    (context,) = inner(_given(frame, 1, "context"))
    (calibration,) = _named(inner(_given(context, 2, "camera calibrations")), FRONT, "front camera")
    (pose,) = inner(_given(frame, 3, "pose of the vehicle"))
    (extrinsic,) = inner(_given(calibration, 3, "place of the camera"))
    vehicle_to_camera = AXES @ np.linalg.inv(_transform(extrinsic))
    focal_u, focal_v, centre_u, centre_v = numbers(_given(calibration, 2, "intrinsics"), "<f8")[:4].tolist()
    # pixel 0 begins at 0 there, and has its centre at 0 here
    intrinsics = np.array([[focal_u, 0, centre_u - 0.5], [0, focal_v, centre_v - 0.5], [0, 0, 1]])
    return Camera(_transform(pose) @ np.linalg.inv(vehicle_to_camera), vehicle_to_camera, intrinsics)


def image(record: bytes) -> bytes:
    """The JPEG file of the front camera."""
    (front,) = _named(inner(_given(fields(record), 4, "images")), FRONT, "image of the front camera")
    (content,) = _given(front, 2, "image")
    return _bytes(content)


def points(record: bytes) -> NDArray[np.float32]:
    """[P, 3]: column, row and z of the LiDAR points (first returns of all lasers) that the front camera sees."""
    frame = fields(record)
    (context,) = inner(_given(frame, 1, "context"))
    (pose,) = inner(_given(frame, 3, "pose of the vehicle"))
    lasers, seen_by = inner(_given(frame, 5, "lasers")), camera(record)
    calibrations = inner(_given(context, 3, "laser calibrations"))
    parts = []
    for laser in lasers:
        (calibration,) = _named(calibrations, integers(laser[1])[0], "calibration of a laser")
        (image_of_ranges,) = inner(_given(laser, 2, "first return"))
        projection = _integer_matrix(_given(image_of_ranges, 3, "camera projection"))
        ranges = _matrix(_given(image_of_ranges, 2, "range image"))[..., 0]
        in_vehicle = _points(ranges, calibration)
        if 4 in image_of_ranges:  # the vehicle drives on while a laser turns
            in_vehicle = _at_the_frame(in_vehicle, _matrix(image_of_ranges[4]), _transform(pose))
        chosen = (ranges > 0) & (projection[..., 0] == FRONT)
        z = in_vehicle[chosen] @ seen_by.vehicle_to_camera[2, :3] + seen_by.vehicle_to_camera[2, 3]
        parts.append(np.column_stack((projection[chosen][:, 1:3], z)))
    return np.concatenate(parts).astype(np.float32)


def _points(ranges: Matrix, calibration: Fields) -> Matrix:
    """[H, W] ranges -> [H, W, 3] in the vehicle's frame. Rows go down from the steepest beam, columns clockwise."""
    height, width = ranges.shape
    (extrinsic,) = inner(_given(calibration, 5, "place of a laser"))
    laser_to_vehicle = _transform(extrinsic)
    steepness = numbers(calibration.get(2, []), "<f8")
    if not len(steepness):
        low, high = (float(numbers(_given(calibration, part, "beam inclinations"), "<f8")[0]) for part in (3, 4))
        steepness = low + (np.arange(height) + 0.5) / height * (high - low)
    steepness = steepness[::-1, None]
    correction = np.arctan2(laser_to_vehicle[1, 0], laser_to_vehicle[0, 0])
    azimuth = ((width - np.arange(width) - 0.5) / width * 2 - 1) * np.pi - correction
    flat = np.cos(steepness) * ranges
    in_laser = np.stack((np.cos(azimuth) * flat, np.sin(azimuth) * flat, np.sin(steepness) * ranges), -1)
    return in_laser @ laser_to_vehicle[:3, :3].T + laser_to_vehicle[:3, 3]


def _at_the_frame(in_vehicle: Matrix, poses: Matrix, frame_pose: Matrix) -> Matrix:
    """Points of a vehicle that had its own pose at each of them -> of the vehicle at the frame's time.

    poses [H, W, 6]: roll, pitch, yaw, x, y, z.
    """
    turned = Rotation.from_euler("ZYX", poses[..., 2::-1].reshape(-1, 3))
    world = turned.apply(in_vehicle.reshape(-1, 3)) + poses[..., 3:].reshape(-1, 3)
    world_to_vehicle = np.linalg.inv(frame_pose)
    return (world @ world_to_vehicle[:3, :3].T + world_to_vehicle[:3, 3]).reshape(in_vehicle.shape)


def _matrix(compressed: list[Value]) -> Matrix:
    """MatrixFloat behind zlib."""
    content = _decompressed(compressed)
    (shape,) = inner(_given(content, 2, "shape"))
    return numbers(_given(content, 1, "data"), "<f4").astype(np.float64).reshape(integers(shape[1]))


def _integer_matrix(compressed: list[Value]) -> NDArray[np.int64]:
    """MatrixInt32 behind zlib."""
    content = _decompressed(compressed)
    (shape,) = inner(_given(content, 2, "shape"))
    return integers(_given(content, 1, "data")).reshape(integers(shape[1]))


def _decompressed(compressed: list[Value]) -> Fields:
    try:
        return fields(zlib.decompress(_bytes(compressed[0])))
    except zlib.error as error:
        raise ValueError(f"a range image is damaged ({error})") from error


def _transform(message: Fields) -> Matrix:
    return numbers(_given(message, 1, "transform"), "<f8").astype(np.float64).reshape(4, 4)


def _named(messages: list[Fields], name: int, what: str) -> list[Fields]:
    """The only one of this name."""
    found = [message for message in messages if integers(message.get(1, []))[:1].tolist() == [name]]
    if len(found) != 1:
        raise ValueError(f"a frame has {len(found)} of what is called {what}, not one")
    return found


def _given(message: Fields, number: int, what: str) -> list[Value]:
    if number not in message:
        raise ValueError(f"a frame has no {what}: it is no frame of Waymo's perception data (version 1)")
    return message[number]


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise ValueError("a frame has a number where data should be")
    return bytes(value)
