"""Sources of failing tests, planted under names of their own into runs of tests; never imported from here."""
