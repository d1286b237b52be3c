"""Reading foreign SPICE decks: lines, expressions, subcircuits, and the circuit they make."""
