"""A daemon for overnight batch work with coding agents."""

__version__ = "0.1.0"
