"""Procedures of the MonST3R cases (reference/monst3r/cases.md describes what each kind computes)."""

from __future__ import annotations

from tests.reference.procedures import monst3r_alignment, monst3r_mdata, monst3r_network

PROCEDURES = monst3r_network.PROCEDURES | monst3r_alignment.PROCEDURES | monst3r_mdata.PROCEDURES
