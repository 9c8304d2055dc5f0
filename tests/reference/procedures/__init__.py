"""One module per system, imported only when a case of that system runs; each has `PROCEDURES: kind -> function`."""
