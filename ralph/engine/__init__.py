"""The night: daemon, loops, iterations, workers."""
