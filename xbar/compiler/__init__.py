"""From matrices and a chip to switch masks: the passes, and the program that they give."""
