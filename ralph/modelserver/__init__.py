"""A scripted model API on localhost for demo and tests."""
