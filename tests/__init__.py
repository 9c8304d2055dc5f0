"""Tests mirror the rooms; tests.reference holds the numeric cases and their runner."""
