"""External circuit simulators, one module each, listed in registry.py."""
