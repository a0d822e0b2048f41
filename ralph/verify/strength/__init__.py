"""What green tests are worth on the changed lines: which of them ran, and which faults in them are noticed."""
