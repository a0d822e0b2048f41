"""Judging a tree: guards, gates, comparison with the base, proof, strength, review. ``assess`` is the story."""
