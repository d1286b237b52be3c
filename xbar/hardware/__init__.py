"""What the chip is: its design (Hardware) and one fabricated instance of it (Chip)."""
