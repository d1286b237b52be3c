"""What a program does: analog products with converters, wires and noise, and the accuracy left."""
