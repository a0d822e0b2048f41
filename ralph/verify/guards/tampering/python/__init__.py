"""Python: what the tests of a change claim, before and after, read from the syntax tree."""
