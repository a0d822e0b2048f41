"""Checking a night afterwards: every verdict judged again from the bytes that were stored. ``night`` is the story."""
