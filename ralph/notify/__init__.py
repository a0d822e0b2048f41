"""How a person is told, behind one Protocol."""
