"""Pairs, global alignment, and what else turns pointmaps of a clip into one scene."""
