"""Where pull requests live, behind one Protocol."""
