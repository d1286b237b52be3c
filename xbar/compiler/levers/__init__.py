"""What a compiler can change against harsh wires besides the subsets: see ``fit.py``."""
