"""The machine: processes, sandbox, files, power."""
