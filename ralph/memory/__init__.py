"""What persists over resets: task state, progress log, knowledge, ledger."""
