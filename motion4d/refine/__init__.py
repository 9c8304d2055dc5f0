"""Refinement: what a motion model said of the pixels, and the frames, become better masks (see base.py)."""
