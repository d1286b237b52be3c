"""SPICE dialects, one file each, listed in registry.py."""
