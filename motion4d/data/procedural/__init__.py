"""Procedural scenes: seeded worlds, cameras and moving things, rendered with exact truth (see dataset)."""
