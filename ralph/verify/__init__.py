"""What decides whether a change is good: guards and gates."""
