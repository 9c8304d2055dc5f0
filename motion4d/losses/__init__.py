"""Loss terms: functions that return unreduced values, one family per file."""
