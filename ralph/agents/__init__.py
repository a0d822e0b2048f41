"""What proposes changes, behind one Protocol."""
