"""Small functions for words."""
