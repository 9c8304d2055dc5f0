"""Procedural scenes written as what one downloads: a file per layout, `write(clips, folder)`."""
