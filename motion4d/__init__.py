"""motion4d: one experiment platform for 4D motion understanding."""

__version__ = "0.1.0"
