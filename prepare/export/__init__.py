"""Procedural scenes written as what one downloads: one file per layout, `write(clips, folder)`. See prepare.procedural."""
