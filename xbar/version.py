"""The version, where every layer can import it; ``xbar.__version__`` is the same."""

__version__ = "0.1.0"
