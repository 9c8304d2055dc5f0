"""SegAffordance: which part a sentence means, where to touch it, and how it moves."""
