"""On-disk layouts and procedural scenes to clips."""
