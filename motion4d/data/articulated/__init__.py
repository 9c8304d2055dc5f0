"""Procedural articulated objects: pictures of furniture, a sentence about one part, and how that part moves."""
