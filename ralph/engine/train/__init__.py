"""The night's train: all green branches merged and gated together, and what of it can be taken out again."""
