"""Queries to tracks: one tracker per file."""
