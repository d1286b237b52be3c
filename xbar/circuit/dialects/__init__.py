"""SPICE dialects, one module each, listed in registry.py."""
