"""What programming a tile for its wires is made of: see ``passes/correct_wires.py``."""
