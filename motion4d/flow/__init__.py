"""Frames to optical flow: one estimator per file."""
