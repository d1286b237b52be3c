"""Reader of foreign SPICE decks: lines, expressions, subcircuits, and the resulting circuit."""
