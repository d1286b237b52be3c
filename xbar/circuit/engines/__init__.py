"""External circuit simulators, one file each, listed in registry.py."""
