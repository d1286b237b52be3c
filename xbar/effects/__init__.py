"""What lies between a weight and what is read of it: one physical effect a file."""
