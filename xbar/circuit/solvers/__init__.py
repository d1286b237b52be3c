"""Methods that solve a crossbar, one file each, listed in registry.py."""
