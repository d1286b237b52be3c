"""What a program and a simulation say, as numbers and as text."""
