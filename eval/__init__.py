"""Thin command lines over motion4d.metrics; run as python -m eval.NAME."""
