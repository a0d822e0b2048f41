"""Pure decisions: what to pick, when to stop, what to say. No I/O, no clock of its own."""
