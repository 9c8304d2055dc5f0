"""Cameras, poses, projection, alignment: pure batched functions."""
