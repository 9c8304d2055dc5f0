"""Images to geometry and tokens: one network family per file."""
