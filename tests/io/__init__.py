"""Tests of motion4d/io."""
