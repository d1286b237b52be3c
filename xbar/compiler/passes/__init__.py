"""One file per pass, named by what it does; the list of passes is in ``compiler.py``."""
