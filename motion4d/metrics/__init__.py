"""Protocols and metrics on numpy arrays; no torch."""
